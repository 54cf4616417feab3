import { expect, test } from '@jest/globals';
import { UnderWay } from '../../src/http/under-way.js';

test('what was added is there until it is taken out, whatever comes and goes meanwhile', () => {
  const underWay = new UnderWay<{ name: string }>();
  const model = new Map<number, { name: string }>();
  for (let step = 0; step < 2000; step++) {
    const [place] = [...model.keys()].slice(step % (model.size + 1));
    if (step % 3 === 2 && place !== undefined) {
      underWay.delete(place);
      model.delete(place);
    } else {
      const one = { name: `${step}` };
      model.set(underWay.add(one), one);
    }
    expect(new Set(underWay)).toEqual(new Set(model.values()));
    if (model.size > 40) for (const each of model.keys()) underWay.delete(each);
    if (model.size > 40) model.clear();
  }
});

test('places are used again', () => {
  const underWay = new UnderWay<object>();
  const places = Array.from({ length: 100 }, () => {
    const place = underWay.add({});
    underWay.delete(place);
    return place;
  });
  expect(new Set(places).size).toBe(1);
});
