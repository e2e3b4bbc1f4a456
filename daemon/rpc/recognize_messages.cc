#include "daemon/rpc/recognize_messages.h"

#include <memory>

namespace digit {

void RecognizeMessages::Release() {
  FreeRequest();
  set_response(nullptr);
  response_.Drop();
  owner_->Give(std::unique_ptr<RecognizeMessages>(this));
}

grpc::MessageHolder<v1::RecognizeRequest, v1::RecognizeResponse>* RecognizeAllocator::AllocateMessages() {
  RecognizeMessages* messages = kept_.Take().release();
  messages->owner_ = &kept_;
  messages->set_request(messages->request_.New());
  messages->set_response(nullptr);
  return messages;
}

}  // namespace digit
