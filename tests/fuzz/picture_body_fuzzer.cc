// A Content-Type, a target and a body, a line end between them: what a recognition reads of a request. ParseUrl() and
// ReadPictureBody() must answer, and what they accept must be fit for the daemon.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "base/check.h"
#include "base/json.h"
#include "base/safe_text.h"
#include "client/gateway/api/picture_body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t first = input.find('\n');
  const size_t second = first == absl::string_view::npos ? first : input.find('\n', first + 1);
  if (second == absl::string_view::npos) return 0;
  digit::HttpRequest request;
  request.headers.emplace_back("Content-Type", std::string(input.substr(0, first)));
  request.target = std::string(input.substr(first + 1, second - first - 1));
  request.body = std::string(input.substr(second + 1));
  for (const char c : request.target) {  // no other passes CheckHead()
    if (c <= ' ' || c > '~') return 0;
  }
  const auto url = digit::ParseUrl(request.target);
  if (!url.ok()) {
    DIGIT_CHECK(absl::IsInvalidArgument(url.status()) && !url.status().message().empty());
    return 0;
  }
  for (const std::string& segment : url->segments) DIGIT_CHECK(digit::IsUtf8(segment));
  for (const auto& [name, value] : url->query) DIGIT_CHECK(digit::IsUtf8(name) && digit::IsUtf8(value));
  const auto body = digit::ReadPictureBody(request, *url);
  if (!body.ok()) {
    DIGIT_CHECK(absl::IsInvalidArgument(body.status()) || absl::IsUnimplemented(body.status()));
    DIGIT_CHECK(!body.status().message().empty() && digit::IsUtf8(digit::SafeText(body.status().message(), 4096)));
    return 0;
  }
  DIGIT_CHECK(digit::IsUtf8(body->version) && body->version.find('\0') == std::string::npos);
  DIGIT_CHECK(body->is_list || body->pictures.size() == 1);
  size_t bytes = 0;
  for (const std::string& picture : body->pictures) bytes += picture.size();
  DIGIT_CHECK(bytes <= request.body.size());
  // What is JSON reads the same when it is written anew.
  if (digit::MediaTypeOf(input.substr(0, first)) == "application/json") {
    const auto value = digit::ParseJson(request.body, "the body");
    DIGIT_CHECK(value.ok());
    request.body = boost::json::serialize(*value);
    const auto again = digit::ReadPictureBody(request, *url);
    DIGIT_CHECK(again.ok() && again->pictures == body->pictures && again->version == body->version);
  }
  return 0;
}
