#!/bin/bash
# Every option of --help is in the man page, and every option of the man page in --help.
. "$(dirname "$0")/lib.sh"

# Options of a man page, one a line: "--kernel-id".
man_options() {
  sed 's/\\-/-/g' "$1" | grep -E '^\.(TP|B|BI|BR|B )' | grep -oE -- '--[a-z][a-z-]+' | sort -u
}
help_options() { grep -oE -- '^ +--[a-z][a-z-]+' | tr -d ' ' | sort -u; }

{
  "$TESTLAB" --help
  for command in run sets clauses doctor status trigger; do "$TESTLAB" "$command" --help; done
} | help_options >"$TMP/testlab.help"
man_options "$ROOT/man/testlab.1" >"$TMP/testlab.man"
is "$(comm -23 "$TMP/testlab.help" "$TMP/testlab.man")" "" "testlab(1) has every option of --help"
is "$(comm -13 "$TMP/testlab.help" "$TMP/testlab.man")" "" "testlab(1) has no option that does not exist"
isnt "$(wc -l <"$TMP/testlab.help")" 0 "there are options"

"$TESTLABD" --help | help_options >"$TMP/testlabd.help"
man_options "$ROOT/man/testlabd.8" >"$TMP/testlabd.man"
is "$(comm -23 "$TMP/testlabd.help" "$TMP/testlabd.man")" "" "testlabd(8) has every option of --help"
is "$(comm -13 "$TMP/testlabd.help" "$TMP/testlabd.man")" "" "testlabd(8) has no option that does not exist"

# Top-level settings and those of their groups.
"$TESTLABD" --print-config | grep -oE '^ *[a-z_]+ *[:=]' | tr -d ' :=' | sort -u >"$TMP/settings"
isnt "$(wc -l <"$TMP/settings")" 0 "there are settings"
while read -r setting; do
  grep -qE "^\.B.*\b$setting\b" "$ROOT/man/testlabd.conf.5" || echo "$setting"
done <"$TMP/settings" >"$TMP/unknown"
is "$(cat "$TMP/unknown")" "" "testlabd.conf(5) has every setting"
