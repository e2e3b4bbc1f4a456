#include "client/ctl/bench/messages.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/client/ctl/bench/load_fixture.h"

namespace digit {
namespace {

template <typename Message>
Message Parsed(grpc::ByteBuffer buffer) {
  Message message;
  EXPECT_TRUE(grpc::SerializationTraits<Message>::Deserialize(&buffer, &message).ok());
  return message;
}

TEST(MessageSetTest, AUnaryMessageIsOneRawPictureForTheModel) {
  const MessageSet messages(PlainPictures(3), OptionsOf(BenchMode::kUnary, 1), "m", "v", absl::Seconds(1));
  ASSERT_EQ(messages.size(), 3);
  for (const bool timed : {false, true}) {
    const auto request = Parsed<v1::RecognizeRequest>(messages.Unary(2, timed));
    EXPECT_EQ(request.model(), "m");
    EXPECT_EQ(request.version(), "v");
    ASSERT_EQ(request.images_size(), 1);
    EXPECT_EQ(request.images(0).pixels(), std::string(kRawBytes, 2));
    EXPECT_EQ(request.options().include_timing(), timed);
  }
}

TEST(MessageSetTest, FilesTravelEncoded) {
  BenchPictures pictures;
  pictures.encoded = true;
  pictures.pictures = {{"a", "bytes of a"}, {"b", "bytes of b"}};
  const MessageSet messages(pictures, OptionsOf(BenchMode::kStream, 3), "", "", absl::Seconds(1));
  const auto request = Parsed<v1::RecognizeStreamRequest>(messages.Streamed(0, false, 1)).request();
  ASSERT_EQ(request.images_size(), 3);  // goes round
  EXPECT_EQ(request.images(1).encoded(), "bytes of b");
  EXPECT_EQ(request.images(2).encoded(), "bytes of a");
}

TEST(MessageSetTest, PackedMessagesTogetherHoldEveryPicture) {
  const MessageSet messages(PlainPictures(10), OptionsOf(BenchMode::kPacked, 4), "", "", absl::Seconds(1));
  ASSERT_EQ(messages.size(), 3);
  std::set<int> seen;
  for (int m = 0; m < 3; ++m) {
    const std::string packed = Parsed<v1::RecognizeRequest>(messages.Unary(m, false)).packed_pixels();
    ASSERT_EQ(packed.size(), 4u * kRawBytes);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(packed[i * kRawBytes], messages.Picture(m, i));
      seen.insert(packed[i * kRawBytes]);
    }
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(MessageSetTest, AStreamedMessageHasIdTimeoutAndWish) {
  const MessageSet messages(PlainPictures(2), OptionsOf(BenchMode::kStream, 1), "m", "v", absl::Milliseconds(1500));
  for (const uint64_t id : {uint64_t{1}, uint64_t{300}, ~uint64_t{0}}) {
    for (const bool timed : {false, true}) {
      const auto message = Parsed<v1::RecognizeStreamRequest>(messages.Streamed(1, timed, id));
      EXPECT_EQ(message.id(), id);
      EXPECT_EQ(message.timeout().seconds(), 1);
      EXPECT_EQ(message.timeout().nanos(), 500'000'000);
      EXPECT_EQ(message.request().model(), "m");
      ASSERT_EQ(message.request().images_size(), 1);
      EXPECT_EQ(message.request().images(0).pixels(), std::string(kRawBytes, 1));
      EXPECT_EQ(message.request().options().include_timing(), timed);
    }
  }
}

}  // namespace
}  // namespace digit
