#include "daemon/rpc/unary_messages.h"

#include <string>
#include <vector>

#include "digit/v1/digit.pb.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using Holder = grpc::MessageHolder<v1::RecognizeRequest, v1::RecognizeResponse>;
using Allocator = UnaryAllocator<v1::RecognizeRequest, v1::RecognizeResponse>;

std::string RequestOf(int num_images) {
  v1::RecognizeRequest request;
  for (int i = 0; i < num_images; ++i) request.add_images()->set_pixels(std::string(784, 'x'));
  return request.SerializeAsString();
}

TEST(UnaryMessagesTest, MessagesAreRecycledEmpty) {
  Allocator allocator;
  auto* first = static_cast<Allocator::Messages*>(allocator.AllocateMessages());
  ASSERT_TRUE(first->request()->ParseFromString(RequestOf(3)));
  EXPECT_EQ(first->response(), nullptr);
  first->NewResponse()->set_model("mnist");
  EXPECT_EQ(first->response()->model(), "mnist");
  first->Release();
  EXPECT_EQ(allocator.num_kept(), 1u);
  auto* second = static_cast<Allocator::Messages*>(allocator.AllocateMessages());
  EXPECT_EQ(second, first);
  EXPECT_EQ(second->request()->images_size(), 0);
  EXPECT_EQ(second->NewResponse()->model(), "");
  second->Release();
}

TEST(UnaryMessagesTest, TheRequestCanGoBeforeTheResponse) {
  Allocator allocator;
  auto* messages = static_cast<Allocator::Messages*>(allocator.AllocateMessages());
  messages->NewResponse()->set_version(std::string(100, 'v'));
  messages->FreeRequest();
  EXPECT_EQ(messages->request(), nullptr);
  EXPECT_EQ(messages->response()->version().size(), 100u);
  messages->Release();
}

TEST(UnaryMessagesTest, NoMoreThanTheBoundIsKept) {
  Allocator allocator;
  std::vector<Holder*> held;
  for (size_t i = 0; i < Allocator::kMaxKept + 10; ++i) held.push_back(allocator.AllocateMessages());
  for (Holder* messages : held) messages->Release();
  EXPECT_EQ(allocator.num_kept(), Allocator::kMaxKept);
}

// What one message costs beyond its block, as the arena counts it.
TEST(UnaryMessagesTest, SmallMessagesStayInTheBlockAndLargeOnesAreGivenBack) {
  ArenaMessage<v1::RecognizeRequest, kRequestBlockBytes> request;
  ASSERT_TRUE(request.New()->ParseFromString(RequestOf(1)));
  EXPECT_EQ(request.get()->GetArena()->SpaceAllocated(), kRequestBlockBytes);
  ASSERT_TRUE(request.New()->ParseFromString(RequestOf(1000)));
  EXPECT_GT(request.get()->GetArena()->SpaceAllocated(), kRequestBlockBytes);
  EXPECT_EQ(request.New()->GetArena()->SpaceAllocated(), kRequestBlockBytes);

  ArenaMessage<v1::RecognizeResponse, kResponseBlockBytes> response;
  response.New()->mutable_results()->Reserve(64);
  for (int i = 0; i < 64; ++i) {
    v1::Prediction* prediction = response.get()->add_results()->mutable_prediction();
    prediction->set_label("7");
    prediction->mutable_probabilities()->Resize(10, 0.1f);
  }
  EXPECT_EQ(response.get()->GetArena()->SpaceAllocated(), kResponseBlockBytes);
}

}  // namespace
}  // namespace digit
