#!/bin/sh
# test/e2e/json_suite.sh: RELIABILITY J1: every file of JSONTestSuite through our reader. test_json knows what each must
# give: no n_ file is accepted, all y_ files but three that CONTRACT 3 forbids, of the i_ files the numbers. Prints TAP.
set -u
cd "$(dirname "$0")/../.."
dir=build/suites/yyjson/test/data/json/test_parsing
[ -d "$dir" ] || VENDOR_LOCK=test/e2e/json_suite.lock scripts/vendor build/suites >&2
if [ ! -d "$dir" ]; then
	echo "ok 1 - JSONTestSuite # SKIP the package manager did not give it"
	echo 1..1
	exit 0
fi
set -- "$dir"/[niy]_*.json
if [ $# -lt 318 ]; then
	echo "not ok 1 - JSONTestSuite has 318 files"
	echo "# got $#"
	echo 1..1
	exit 1
fi
exec build/asan/test/unit/test_json "$@"
