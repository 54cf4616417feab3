"""Compares with IAM's API model of botocore: on stdin a JSON list of {operation, flags, output}; prints what does not fit.

flags are names as on the command line (--user-name); output is what was printed, or null."""

import json
import sys

import botocore.session
from botocore import xform_name

model = botocore.session.get_session().get_service_model('iam')


def strangers(shape, value, where):
    """Members of a value that its shape does not have, required ones that are missing, and values of another type."""
    if shape.type_name == 'structure':
        if not isinstance(value, dict):
            return [f'{where} is no structure']
        found = [f'{where}.{name} is unknown' for name in value if name not in shape.members]
        found += [f'{where}.{name} is missing' for name in shape.required_members if name not in value]
        for name in value:
            if name in shape.members:
                found += strangers(shape.members[name], value[name], f'{where}.{name}')
        return found
    if shape.type_name == 'list':
        if not isinstance(value, list):
            return [f'{where} is no list']
        return [each for item in value for each in strangers(shape.member, item, f'{where}[]')]
    # the AWS CLI prints policies as JSON
    types = {'string': (str, dict), 'boolean': bool, 'integer': int, 'timestamp': str}
    if not isinstance(value, types[shape.type_name]):
        return [f'{where} is no {shape.type_name}']
    return []


found = []
for case in json.load(sys.stdin):
    name = case['operation']
    if name not in model.operation_names:
        found.append(f'{name} is no operation of IAM')
        continue
    operation = model.operation_model(name)
    members = operation.input_shape.members
    flags = {'--' + xform_name(member, '-') for member in members}
    found += [f'{name} has no {flag}' for flag in case['flags'] if flag not in flags]
    for required in operation.input_shape.required_members:
        if '--' + xform_name(required, '-') not in case['flags']:
            found.append(f'{name} needs {required}')
    if operation.output_shape is None or not operation.output_shape.members:
        found += [f'{name} prints something'] if case['output'] is not None else []
    elif case['output'] is not None:
        output = dict(case['output'])
        # the AWS CLI puts pages together
        for paging in ('IsTruncated',):
            if paging in operation.output_shape.members:
                output.setdefault(paging, False)
        found += strangers(operation.output_shape, output, name)
print(json.dumps(found))
