#!/bin/sh
# Draws the PNG icons from conclave.svg. Needs rsvg-convert (Debian: librsvg2-bin).
set -eu
cd "$(dirname "$0")"
for size in 32 64 128 256 512; do
  rsvg-convert --width "$size" --height "$size" --output "$size.png" conclave.svg
done
