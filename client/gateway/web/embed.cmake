# FOLDER -> OUTPUT, a C++ file that defines WebFiles(). A script, so that it runs again when a file changes.
set(types
  .html "text/html\; charset=utf-8" .css "text/css\; charset=utf-8" .js "text/javascript\; charset=utf-8"
  .svg image/svg+xml .json application/json)
set(arrays "")
set(entries "")
file(GLOB FILES ${FOLDER}/*.html ${FOLDER}/*.css ${FOLDER}/*.js ${FOLDER}/*.svg ${FOLDER}/*.json)
list(SORT FILES)
set(index 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  list(FIND types ${extension} at)
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  file(READ ${file} bytes HEX)
  file(SHA256 ${file} digest)
  string(SUBSTRING ${digest} 0 16 digest)
  string(REGEX REPLACE "(................................)" "\\1\n" lines "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" lines "${lines}")
  string(REPLACE "\n" "\"\n    \"" lines "    \"${lines}\"")
  string(LENGTH "${bytes}" size)
  math(EXPR size "${size} / 2")
  string(APPEND arrays "constexpr char kFile${index}[] =\n${lines};\n")
  string(APPEND entries "    {\"${name}\", \"${type}\", {kFile${index}, ${size}}, \"\\\"${digest}\\\"\"},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by client/gateway/web/embed.cmake.
#include \"client/gateway/web/web_files.h\"

namespace digit {
namespace {

${arrays}
constexpr WebFile kFiles[] = {
${entries}};

}  // namespace

absl::Span<const WebFile> WebFiles() { return kFiles; }

}  // namespace digit
")
