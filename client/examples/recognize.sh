#!/bin/sh
# recognize.sh FILE...: what digits the pictures show, by the digit-gateway at $DIGIT_GATEWAY. Needs curl.
gateway=${DIGIT_GATEWAY:-http://localhost:8080}
code=0
for file in "$@"; do
  [ -r "$file" ] || { echo "$file: cannot be read"; code=1; continue; }
  # `Accept: text/plain` asks for the label alone; an error is a problem in JSON.
  answer=$(curl -sS -H 'Accept: text/plain' --data-binary "@$file" "$gateway/v1/models:recognize") || exit 1
  case $answer in
    '{'*)
      echo "$file: $(printf '%s' "$answer" | sed 's/.*"detail":"\([^"]*\)".*/\1/')"
      code=1
      ;;
    *) echo "$file: $answer" ;;
  esac
done
exit $code
