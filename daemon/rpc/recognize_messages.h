// The two messages of each unary Recognize call, recycled.
//
// gRPC takes them from RecognizeAllocator when a request has arrived and gives them back after the call's OnDone(). The
// request lies at rest until FreeRequest(), which the handler calls once the core has answered: the core reads the
// images where they are. Between calls at most kMaxKept pairs are kept, some 18 KiB each; what large messages took
// beyond that has gone back to the heap.
#pragma once

#include "daemon/rpc/arena_message.h"
#include "daemon/rpc/free_list.h"
#include "digit/v1/digit.pb.h"
#include "grpcpp/support/message_allocator.h"

namespace digit {

// Blocks hold a request of a few images (pixels lie apart, as protobuf keeps long strings on the heap), and the answer
// to 64 images.
inline constexpr size_t kRequestBlockBytes = 1 << 10;
inline constexpr size_t kResponseBlockBytes = 16 << 10;

class RecognizeMessages final : public grpc::MessageHolder<v1::RecognizeRequest, v1::RecognizeResponse> {
 public:
  // The answer, empty; call it on the thread that fills it and before an OK Finish(). response() is null until then.
  v1::RecognizeResponse* NewResponse() {
    set_response(response_.New());
    return response();
  }
  // request() is gone after this.
  void FreeRequest() override {
    set_request(nullptr);
    request_.Drop();
  }
  void Release() override;

 private:
  friend class RecognizeAllocator;
  FreeList<RecognizeMessages>* owner_ = nullptr;
  ArenaMessage<v1::RecognizeRequest, kRequestBlockBytes> request_;
  ArenaMessage<v1::RecognizeResponse, kResponseBlockBytes> response_;
};

// Must outlive the server. Thread-safe.
class RecognizeAllocator final : public grpc::MessageAllocator<v1::RecognizeRequest, v1::RecognizeResponse> {
 public:
  grpc::MessageHolder<v1::RecognizeRequest, v1::RecognizeResponse>* AllocateMessages() override;
  size_t num_kept() const { return kept_.size(); }

  static constexpr size_t kMaxKept = 128;

 private:
  FreeList<RecognizeMessages> kept_{kMaxKept};
};

}  // namespace digit
