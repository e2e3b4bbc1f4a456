// Any bytes as a ModelInferRequest: DecodeInfer() refuses it with a message, or gives what lies within the request.
#include <climits>
#include <cstdint>

#include "google/protobuf/stubs/logging.h"
#include "tests/unit/daemon/rpc/oip/tensor_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;  // names that are no UTF-8
  inference::ModelInferRequest request;
  if (size > INT_MAX || !request.ParseFromArray(data, static_cast<int>(size))) return 0;
  digit::CheckDecoded(request);
  return 0;
}
