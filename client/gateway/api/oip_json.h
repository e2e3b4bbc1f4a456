// The Open Inference Protocol's REST bodies and its messages: JSON, with the tensors of the binary-data extension
// behind it. Pure. What a tensor must be (names, types, shapes, their limits) is for digitd to say; here is only what
// JSON and the sizes of binary parts can get wrong.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "inference/grpc_service.pb.h"

namespace digit {

// How an answer is to be written.
struct InferForm {
  bool is_binary = false;               // outputs that `outputs` does not know: behind the JSON, not in it
  std::map<std::string, bool> outputs;  // the same, by name
  bool has_plain_strings = false;       // a BYTES input came as JSON strings that are not base64
};

// The body of an infer request. `json_bytes`: the header Inference-Header-Content-Length as it came; empty: the whole
// body is JSON; "0": the body is one image file, all outputs are binary. Elements of `data` may be nested. A BYTES
// element is its string's bytes, or with the input's parameter "content_type": "base64" what that string encodes. The
// only input of a request with the header may lack binary_data_size: the rest of the body is its tensor, or with
// datatype BYTES and shape [1] its element. INVALID_ARGUMENT says what is wrong. Members that the protocol does not
// know mean nothing.
absl::Status ReadInfer(absl::string_view body, absl::string_view json_bytes, inference::ModelInferRequest* request,
                       InferForm* form);

struct InferAnswer {
  std::string body;
  size_t json_bytes = 0;     // of `body`; what follows are tensors
  bool has_tensors = false;  // some outputs are binary, be they empty
};
// INTERNAL: the response is none.
absl::StatusOr<InferAnswer> WriteInfer(const inference::ModelInferResponse& response, const InferForm& form);

// The body of a load or unload: {"parameters": {...}}; empty is {}.
absl::Status ReadRepositoryParameters(
    absl::string_view body, google::protobuf::Map<std::string, inference::ModelRepositoryParameter>* parameters);

// A message as the protocol's JSON has it: its fields' own names, all of them, numbers as numbers, enums by name.
json::value OipJson(const google::protobuf::Message& message);

}  // namespace digit
