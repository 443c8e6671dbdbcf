#!/usr/bin/env bash
# usage: link.sh BIN OUT
# Links what `swift build --static-swift-stdlib` compiled in BIN into one file, OUT/omni-conformance;
# OUT/omni-server and OUT/mock-litellm are other names of it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A program takes what it needs of an archive only where nothing before has it, so this data is taken
# instead of Foundation's own.
libraries=$(cd "$(dirname "$(readlink -f "$(command -v swiftc)")")/../lib/swift_static/linux" && pwd)
ar x "$libraries/lib_FoundationICU.a" icu_packaged_data.cpp.o
symbol=$(nm icu_packaged_data.cpp.o | awk '/_dat$/ { print $3 }')
objcopy -O binary -j .rodata icu_packaged_data.cpp.o all.dat
python3 "$here/less_icu.py" all.dat less.dat
printf '.section .rodata\n.balign 16\n.globl %s\n%s: .incbin "less.dat"\n.section .note.GNU-stack,"",%%progbits\n' \
  "$symbol" "$symbol" > data.s
clang -c data.s -o data.o
clang -O2 -c "$here/programs.c" -o programs.o

# The beginning of an `async` main has the same name in every program, and the linker would keep one.
cat "$bin"/{omni-server,mock-litellm,omni-conformance}.product/Objects.LinkFileList | sort -u > objects
for program in omni_server mock_litellm omni_conformance; do
  main="$bin/$program.build/Main.swift.o"
  main=$(readlink -f "$main")
  nm "$main" | awk -v own="$program" '$NF ~ /async_Main/ { print $NF, $NF "_" own }' | sort -u > names
  [ -s names ] || { echo "link.sh: no beginning of $program in $main" >&2; exit 1; }
  objcopy --redefine-syms=names "$main" "$program.o"
  sed -i "s#^$main\$#$program.o#" objects
  grep -qx "$program.o" objects
done
swiftc -static-stdlib -emit-executable -o "$out/omni-conformance" programs.o data.o @objects \
  -Xlinker --gc-sections -Xlinker --strip-all $(pkg-config --libs sqlite3 yaml-0.1)
ln -sf omni-conformance "$out/omni-server"
ln -sf omni-conformance "$out/mock-litellm"
