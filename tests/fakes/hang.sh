#!/bin/sh
# never ends, and has a child that would not either
sleep 1000 &
echo "$!" > "$HOME/child.pid"
cp "$HOME/child.pid" "$(dirname "$0")/child.pid"
echo "Reference value : 1.0"
wait
