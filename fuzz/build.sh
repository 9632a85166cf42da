#!/bin/bash -eu
# fuzz/build.sh: builds every target as OSS-Fuzz has it done. From its environment: CC, CFLAGS, CXX, CXXFLAGS (the compilers and what they
# are to instrument with), LIB_FUZZING_ENGINE (what has main()), OUT (where the targets go, each with TARGET_seed_corpus.zip and
# TARGET.dict beside it), SRC (where this repository is, as presenced; without it: where this script is), WORK (for objects).
# Only the libraries of vendor/lock are fetched, if they are not there yet.
#
# By hand:  OUT=/tmp/out fuzz/build.sh
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -z "${SRC:-}" ] || [ ! -d "$SRC/presenced/fuzz" ] || here=$SRC/presenced
cd "$here"
shopt -s nullglob
: "${CC:=clang}" "${CXX:=clang++}" "${OUT:?}" "${WORK:=$OUT/.work}"
: "${CFLAGS=-O1 -g -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link}" "${CXXFLAGS=$CFLAGS}"
: "${LIB_FUZZING_ENGINE=-fsanitize=fuzzer}"
jobs=${JOBS:-$(nproc)}
vendor=build/vendor
make -s "$vendor/ready"
mkdir -p "$OUT" "$WORK"

std="-std=c11 -D_GNU_SOURCE -DPRESENCED_VERSION=\"fuzz\" -Isrc -Itest -isystem $vendor/jsmn -isystem $vendor/bearssl/inc -isystem $vendor/hiredis"

# compile SOURCE OBJECT FLAGS
compile() {
	mkdir -p "$(dirname "$2")"
	# shellcheck disable=SC2086
	$CC $CFLAGS $3 -w -c -o "$2" "$1"
}
export -f compile
export CC CFLAGS

list() { # what is compiled: source, object, flags; a line each, its parts between |
	for f in src/*.c src/*/*.c test/unit/*.c test/wire/*.c test/sim/*.c; do
		case $f in
		src/main.c | */test_*.c) ;;
		*) echo "$f|$WORK/${f%.c}.o|$std" ;;
		esac
	done
	for f in fuzz/fuzz_*.c; do echo "$f|$WORK/${f%.c}.o|$std"; done
	for f in alloc async hiredis net read sds sockcompat; do
		echo "$vendor/hiredis/$f.c|$WORK/lib/hiredis/$f.o|-std=gnu99 -D_GNU_SOURCE"
	done
	find $vendor/bearssl/src -name '*.c' | sort | while read -r f; do
		echo "$f|$WORK/lib/bearssl/${f#"$vendor"/bearssl/src/}|-I$vendor/bearssl/inc -I$vendor/bearssl/src" | sed 's/\.c|-I/.o|-I/'
	done
}
list | tr '\n' '\0' | xargs -0 -P "$jobs" -I{} bash -euc 'IFS="|" read -r source object flags <<<"$1"; compile "$source" "$object" "$flags"' bash {}

rm -f "$WORK/libpresenced.a"
find "$WORK/src" "$WORK/test" "$WORK/lib" -name '*.o' | sort | xargs ar rcs "$WORK/libpresenced.a"

# zip_of NAME FILE...: without a program for it, which not every machine has.
zip_of() {
	python3 -c '
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for path in sys.argv[2:]:
        z.writestr(zipfile.ZipInfo(path.replace("/", "-")), open(path, "rb").read())
' "$@"
}

for source in fuzz/fuzz_*.c; do
	target=$(basename "$source" .c) target=${target#fuzz_}
	# The engine may be C++: the C++ compiler links.
	# shellcheck disable=SC2086
	$CXX $CXXFLAGS -o "$OUT/$target" "$WORK/fuzz/fuzz_$target.o" "$WORK/libpresenced.a" $LIB_FUZZING_ENGINE -pthread
	mapfile -t seeds < <(find "fuzz/corpus/$target" "fuzz/regressions/$target" -type f 2>/dev/null | sort)
	[ ${#seeds[@]} = 0 ] || zip_of "$OUT/${target}_seed_corpus.zip" "${seeds[@]}"
	[ ! -f "fuzz/$target.dict" ] || cp "fuzz/$target.dict" "$OUT/"
done
