#!/bin/sh
# writes without end into one file
exec cat /dev/zero > out.raw
