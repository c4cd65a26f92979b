#!/bin/sh
echo "doing something dangerous" >&2
kill -SEGV $$
