#!/bin/sh
echo "Error: the license server is on fire" >&2
exit 1
