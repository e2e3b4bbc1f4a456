// Any bytes as the body of an infer request of the Open Inference Protocol over HTTP: first two bytes of the length of
// its JSON (0xffff: no header), then the body. ReadInfer() refuses it with a message, or gives a request whose raw
// tensors are no more than the body, and which can be sent.
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "client/gateway/api/oip_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const unsigned length = data[0] | data[1] << 8;
  const absl::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool has_header = length != 0xffff;
  inference::ModelInferRequest request;
  digit::InferForm form;
  const absl::Status status = digit::ReadInfer(body, has_header ? absl::StrCat(length) : "", &request, &form);
  if (!status.ok()) {
    DIGIT_CHECK(absl::IsInvalidArgument(status) && !status.message().empty());
    return 0;
  }
  size_t raw_bytes = 0;
  for (const std::string& raw : request.raw_input_contents()) raw_bytes += raw.size();
  constexpr size_t kLengthBytes = 4;  // before the only element
  DIGIT_CHECK(raw_bytes <= body.size() + kLengthBytes);
  DIGIT_CHECK(has_header || raw_bytes == 0);
  std::string sent;
  DIGIT_CHECK(request.SerializeToString(&sent));
  inference::ModelInferRequest again;
  DIGIT_CHECK(again.ParseFromString(sent));  // every string is UTF-8
  return 0;
}
