#!/bin/sh
# Train AnomalyCLIP's prompts on images of your own whose defects are drawn, and compare with WinCLIP on images that it never saw.
#
#     fine_tune.sh LEARN CHECK OUT [options of `oddlens train anomalyclip`]
#
# LEARN and CHECK: data sets in any layout that `oddlens data check` knows, of the same parts but not of the same images. OUT: a folder.
# MODEL: a model of `oddlens models`; without it the one in oddlens.
set -eu

if [ "$#" -lt 3 ]; then
    echo "usage: fine_tune.sh LEARN CHECK OUT [options]" >&2
    exit 2
fi
learn=$1 check=$2 out=$3
shift 3
model=${MODEL:-mini}
weights=$out/anomalyclip.safetensors

mkdir -p "$out"
oddlens data check "$learn"
oddlens data check "$check"
oddlens train anomalyclip --data "$learn" --model "$model" --out "$weights" "$@"
oddlens weights show "$weights"
oddlens benchmark --data "$check" --model "$model" --method winclip,anomalyclip --weights "anomalyclip=$weights" --shots 0 --out "$out/benchmark"
