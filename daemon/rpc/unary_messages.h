// The two messages of each call of a busy unary method, recycled.
//
// gRPC takes them from a UnaryAllocator when a request has arrived and gives them back after the call's OnDone(). The
// request lies at rest until FreeRequest(), which the handler calls once the core has answered: the core reads the
// images where they are. Between calls at most kMaxKept pairs are kept, some 18 KiB each; what large messages took
// beyond that has gone back to the heap.
#pragma once

#include <memory>

#include "daemon/rpc/arena_message.h"
#include "daemon/rpc/free_list.h"
#include "grpcpp/support/message_allocator.h"

namespace digit {

// Blocks hold a request of a few images (pixels lie apart, as protobuf keeps long strings on the heap), and the answer
// to 64 images.
inline constexpr size_t kRequestBlockBytes = 1 << 10;
inline constexpr size_t kResponseBlockBytes = 16 << 10;

template <typename Request, typename Response>
class UnaryAllocator;

template <typename Request, typename Response>
class UnaryMessages final : public grpc::MessageHolder<Request, Response> {
 public:
  // The answer, empty; call it on the thread that fills it and before an OK Finish(). response() is null until then.
  Response* NewResponse() {
    this->set_response(response_.New());
    return this->response();
  }
  // request() is gone after this.
  void FreeRequest() override {
    this->set_request(nullptr);
    request_.Drop();
  }
  void Release() override {
    FreeRequest();
    this->set_response(nullptr);
    response_.Drop();
    owner_->Give(std::unique_ptr<UnaryMessages>(this));
  }

 private:
  friend class UnaryAllocator<Request, Response>;
  FreeList<UnaryMessages>* owner_ = nullptr;
  ArenaMessage<Request, kRequestBlockBytes> request_;
  ArenaMessage<Response, kResponseBlockBytes> response_;
};

// Must outlive the server. Thread-safe.
template <typename Request, typename Response>
class UnaryAllocator final : public grpc::MessageAllocator<Request, Response> {
 public:
  using Messages = UnaryMessages<Request, Response>;

  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    Messages* messages = kept_.Take().release();
    messages->owner_ = &kept_;
    messages->set_request(messages->request_.New());
    messages->set_response(nullptr);
    return messages;
  }
  size_t num_kept() const { return kept_.size(); }

  static constexpr size_t kMaxKept = 128;

 private:
  FreeList<Messages> kept_{kMaxKept};
};

}  // namespace digit
