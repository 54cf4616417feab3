# Sourced by scripts/start and scripts/test, in the clone's directory: installs and builds what is missing for $purpose,
# which is start or test. POSIX sh, as it runs before anything is known to be there.

needed_node=20.19
node_version=$(node --version 2>/dev/null || true)
node_version=${node_version#v}
node_major=${node_version%%.*}
node_minor=${node_version#*.}
node_minor=${node_minor%%.*}
if [ -z "$node_version" ] || [ "$node_major" -lt "${needed_node%.*}" ] ||
  { [ "$node_major" -eq "${needed_node%.*}" ] && [ "$node_minor" -lt "${needed_node#*.}" ]; }; then
  echo "hsm-kms needs Node.js $needed_node or newer, and this is ${node_version:-a system without it}: install one from your distribution or nodejs.org, then run the same command again." >&2
  exit 1
fi

# One set-up at a time in a clone. The kernel ends the lock with the process; systems without flock do without.
exec 9>>set-up.log
if command -v flock >/dev/null && ! flock --nonblock 9; then
  echo 'Another npm start or npm test is setting up this clone: waiting for it.'
  flock 9
fi
release_set_up_lock() { exec 9>&-; }

# beside this shell and not in its place: a signal to the shell alone must end what it started as well
node scripts/set-up/main.mjs "$purpose" &
set_up=$!
trap 'kill "$set_up" 2>/dev/null; wait "$set_up"; exit 143' INT TERM HUP
wait "$set_up"
trap - INT TERM HUP
