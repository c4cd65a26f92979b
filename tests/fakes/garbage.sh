#!/bin/sh
# prints binary rubbish and writes it as its result
head -c 3000 /dev/urandom
printf '\033[31mred\033[0m\n'
head -c 3000 /dev/urandom > out.raw
