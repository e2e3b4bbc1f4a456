// Any bytes as what a client sends on one connection: RequestReader must answer, and must read the same requests
// however the bytes are cut, or a request could hide where two programs cut differently. The first byte says how.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "client/gateway/http/request_reader.h"

namespace {

using State = digit::RequestReader::State;

constexpr digit::HttpLimits kLimits{.max_head_bytes = 16 << 10, .max_body_bytes = 1000};

// What the connection means, as text: its requests, and why it ended.
std::string Meaning(absl::string_view stream, size_t step) {
  std::string meaning, bytes;
  auto reader = std::make_unique<digit::RequestReader>(kLimits);
  while (!stream.empty() || !bytes.empty()) {
    bytes.append(stream.data(), std::min(step, stream.size()));
    stream.remove_prefix(std::min(step, stream.size()));
    State state = reader->Read(&bytes);
    while (state == State::kDone) {
      const digit::HttpRequest& request = reader->request();
      DIGIT_CHECK(request.body.size() <= kLimits.max_body_bytes);
      DIGIT_CHECK(!request.method.empty() && !request.target.empty());
      absl::StrAppend(&meaning, request.method, " ", request.target, " ", request.keep_alive, request.is_http_1_0,
                      "\n");
      for (const auto& [name, value] : request.headers) {
        DIGIT_CHECK(name.find_first_of(" :\r\n") == std::string::npos &&
                    value.find_first_of("\r\n") == std::string::npos);
        absl::StrAppend(&meaning, name, "=", value, "\n");
      }
      absl::StrAppend(&meaning, request.body, "\n");
      reader = std::make_unique<digit::RequestReader>(kLimits);
      if (bytes.empty()) break;
      state = reader->Read(&bytes);
    }
    if (state == State::kFailed) {
      const int status = reader->error().status;
      DIGIT_CHECK(status == 400 || status == 413 || status == 431 || status == 501 || status == 505);
      DIGIT_CHECK(!reader->error().detail.empty());
      // A broken line may be found before the whole of it is there, so which of the reasons is told depends on the cut.
      return absl::StrCat(meaning, "refused");
    }
    if (stream.empty()) break;
  }
  return meaning;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const absl::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = Meaning(stream, stream.size()), cut = Meaning(stream, size_t{data[0]} % 64 + 1);
  // What is refused early in pieces may be incomplete as a whole; what is read is the same.
  DIGIT_CHECK(whole == cut || absl::StrCat(whole, "refused") == cut || absl::StrCat(cut, "refused") == whole);
  return 0;
}
