// A Content-Type, a line end, and a body: ParseMultipart() must answer, its parts must lie in the body in order, and
// written anew they must be read as the same parts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/check.h"
#include "client/gateway/api/multipart.h"

namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  if (line == absl::string_view::npos) return 0;
  const absl::string_view type = input.substr(0, line), body = input.substr(line + 1);
  const auto parts = digit::ParseMultipart(type, body);
  if (!parts.ok()) {
    DIGIT_CHECK(absl::IsInvalidArgument(parts.status()) && !parts.status().message().empty());
    return 0;
  }
  const std::string boundary = digit::HeaderParameter(type, "boundary");
  std::string again;
  const char* at = body.data();
  for (const digit::FormPart& part : *parts) {
    DIGIT_CHECK(part.bytes.data() >= at && part.bytes.data() + part.bytes.size() <= body.data() + body.size());
    at = part.bytes.data() + part.bytes.size();
    absl::StrAppend(&again, "--", boundary, "\r\ncontent-disposition: form-data; NAME=", Quoted(part.name),
                    part.is_file ? "; filename=\"x;y\"" : "", "\r\n\r\n", part.bytes, "\r\n");
  }
  absl::StrAppend(&again, "--", boundary, "--");
  const auto same = digit::ParseMultipart(absl::StrCat("multipart/form-data; boundary=", Quoted(boundary)), again);
  DIGIT_CHECK(same.ok() && same->size() == parts->size());
  for (size_t i = 0; i < parts->size(); ++i) {
    const digit::FormPart &one = (*parts)[i], &other = (*same)[i];
    DIGIT_CHECK(one.name == other.name && one.is_file == other.is_file && one.bytes == other.bytes);
  }
  return 0;
}
