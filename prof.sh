#!/bin/bash
B=$(ls -t /work/target-p3/release/deps/metrics-* | grep -v '\.d$' | head -1)
rm -f /tmp/cg.m
echo 20000 | valgrind --tool=callgrind --toggle-collect='*measure::timed*' --callgrind-out-file=/tmp/cg.m $B --case "$1" "$2" 1 2>&1 | grep Collected
callgrind_annotate --show-percs=no /tmp/cg.m 2>/dev/null | sed -n 20,60p | awk '{print}' | cut -c1-170
