#include "daemon/rpc/oip/infer_stream.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {

void InferStreamReactor::Recognize(Slot* slot) {
  absl::StatusOr<InferCall> decoded = DecodeInfer(*slot->request.get(), max_images_per_call_);
  SetImages(slot, decoded.ok() ? Recognizer::CountImages(decoded->recognize) : 1);
  if (!decoded.ok()) return Answer(slot, {}, decoded.status());
  const auto call = std::make_shared<InferCall>(*std::move(decoded));  // its pixels are needed until the answer
  call->recognize.task_class.flow = flow();
  call->recognize.cancelled = cancelled();
  call->recognize.deadline = std::min(options().deadline, slot->arrived + call->timeout);
  recognizer_->Recognize(std::move(call->recognize), [this, slot, call](absl::StatusOr<RecognizeResult> result) {
    Answer(slot, call->form, std::move(result));
  });
}

void InferStreamReactor::Answer(Slot* slot, const InferAnswerForm& form, absl::StatusOr<RecognizeResult> result) {
  const inference::ModelInferRequest& request = *slot->request.get();
  inference::ModelStreamInferResponse* const response = slot->response.New();
  inference::ModelInferResponse* const answer = response->mutable_infer_response();
  const size_t images = slot->images;
  if (result.ok()) {
    const absl::Status encoded = EncodeInfer(*result, form, request.id(), answer);
    if (!encoded.ok()) result = encoded;
  }
  if (result.ok()) {
    // Clients of models that may answer more than once wait for this.
    (*answer->mutable_parameters())["triton_final_response"].set_bool_param(true);
  } else {
    answer->set_id(request.id());  // so that the client knows what has failed
    response->set_error_message(
        absl::StrCat(absl::StatusCodeToString(result.status().code()), ": ", PublicMessage(result.status())));
  }
  const absl::Duration took = options().clock->Now() - slot->arrived;
  if (options().metrics != nullptr) {
    options().metrics->CountHot(HotMethod::kModelStreamInfer, static_cast<grpc::StatusCode>(result.status().code()),
                                took);
  }
  if (!options().origin.peer.empty()) {
    LogInfo(FormatAccessLine(
        {"ModelStreamInfer", request.model_name(), request.model_version(), images, options().origin, took}, result,
        response->error_message()));
  }
  Answered(slot);
}

}  // namespace digit
