#include "client/gateway/api/coalescer.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

class CoalescerTest : public ::testing::Test {
 protected:
  void Ask(const std::string& model, const std::string& version, const std::string& picture,
           const std::string& request_id = "") {
    exchanges_.emplace_back();
    asio::co_spawn(io_, AskAndNote(model, version, picture, request_id, &exchanges_.back()), asio::detached);
  }
  asio::awaitable<void> AskAndNote(std::string model, std::string version, std::string picture, std::string request_id,
                                   HttpExchange* exchange) {
    const Coalescer::Answer answer = co_await coalescer_.Recognize(model, version, picture, request_id, exchange);
    answers_.push_back(
        answer.shared->status.ok()
            ? absl::StrCat(picture, "->", answer.shared->response.results(answer.index).prediction().label())
            : std::string(answer.shared->status.message()));
  }

  asio::io_context io_;
  std::deque<HttpExchange> exchanges_;
  std::vector<v1::RecognizeRequest> calls_;
  std::vector<std::vector<std::string>> ids_;  // by call
  absl::Status failure_;
  bool held_up_ = false, forgets_one_ = false;
  std::vector<std::function<void()>> answer_later_;
  int limit_ = 1000;
  Coalescer coalescer_{[this](std::shared_ptr<const Coalescer::Group> group, std::function<void(SharedAnswer)> done) {
    const v1::RecognizeRequest& request = group->request;
    ids_.push_back(group->request_ids);
    SharedAnswer answer{.status = failure_, .response = {}, .timing = {}};
    if (request.images_size() > limit_) answer.status = absl::InvalidArgumentError("too many images");
    for (const v1::Image& image : request.images()) {
      answer.response.add_results()->mutable_prediction()->set_label("is " + image.encoded());
    }
    if (forgets_one_) answer.response.mutable_results()->RemoveLast();
    calls_.push_back(request);
    if (held_up_) {
      answer_later_.push_back([done, answer] { done(answer); });
    } else {
      done(std::move(answer));
    }
  }};
  std::vector<std::string> answers_;
};

TEST_F(CoalescerTest, WhatComesInOneTurnTravelsTogetherAndEachGetsItsOwn) {
  Ask("m", "", "a");
  Ask("m", "", "b");
  io_.run();
  ASSERT_EQ(calls_.size(), 1u);
  EXPECT_EQ(calls_[0].images_size(), 2);
  EXPECT_THAT(answers_, ElementsAre("a->is a", "b->is b"));
  io_.restart();
  Ask("m", "", "c");
  io_.run();
  EXPECT_EQ(calls_.size(), 2u);
  EXPECT_EQ(answers_.back(), "c->is c");
}

TEST_F(CoalescerTest, WhatComesWhileACallIsUnderWayGoesWhenThatIsAnswered) {
  held_up_ = true;
  Ask("m", "", "a");
  io_.poll();
  Ask("m", "", "b");
  Ask("n", "", "other");  // waits for nothing of m's
  io_.poll();
  Ask("m", "", "c");
  io_.poll();
  ASSERT_EQ(calls_.size(), 2u);
  EXPECT_EQ(calls_[1].model(), "n");
  answer_later_[0]();
  io_.poll();
  ASSERT_EQ(calls_.size(), 3u);
  EXPECT_EQ(calls_[2].images_size(), 2);
  answer_later_[2]();
  answer_later_[1]();
  io_.poll();
  EXPECT_THAT(answers_, ElementsAre("a->is a", "b->is b", "c->is c", "other->is other"));
}

TEST_F(CoalescerTest, IdsThatCallersSentTravelWithTheirPictures) {
  Ask("m", "", "a", "id-a");
  Ask("m", "", "b");
  Ask("m", "", "c", "id-c");
  Ask("n", "", "d");
  io_.run();
  EXPECT_THAT(ids_, ElementsAre(ElementsAre("id-a", "id-c"), ElementsAre()));
}

TEST_F(CoalescerTest, WhatFillsACallWaitsForNone) {
  held_up_ = true;
  Ask("m", "", "a");
  io_.poll();
  for (size_t i = 0; i < Coalescer::kMaxPictures + 1; ++i) Ask("m", "", "b");
  io_.poll();
  ASSERT_EQ(calls_.size(), 2u);
  EXPECT_EQ(calls_[1].images_size(), static_cast<int>(Coalescer::kMaxPictures));
}

TEST_F(CoalescerTest, ASlowCallIsNotWaitedForLong) {
  held_up_ = true;
  Ask("m", "", "a");
  io_.poll();
  Ask("m", "", "b");
  while (calls_.size() < 2) io_.run_one();  // as long as the timer takes
  EXPECT_EQ(calls_[1].images(0).encoded(), "b");
}

TEST_F(CoalescerTest, OtherModelsAndVersionsTravelApart) {
  Ask("m", "", "a");
  Ask("n", "", "b");
  Ask("m", "2", "c");
  Ask("m", "", "d");
  io_.run();
  EXPECT_EQ(calls_.size(), 3u);
  EXPECT_EQ(answers_.size(), 4u);
}

TEST_F(CoalescerTest, ACallHasABoundAndItsFailureIsEverybodysInIt) {
  failure_ = absl::ResourceExhaustedError("full");
  for (size_t i = 0; i < Coalescer::kMaxPictures + 1; ++i) Ask("m", "", "a");
  io_.run();
  ASSERT_EQ(calls_.size(), 2u);
  EXPECT_EQ(calls_[1].images_size(), 1);
  EXPECT_EQ(answers_, std::vector<std::string>(Coalescer::kMaxPictures + 1, "full"));
}

TEST_F(CoalescerTest, AnAnswerWithTooFewResultsIsNobodys) {
  forgets_one_ = true;
  for (const char* picture : {"a", "b"}) Ask("m", "", picture);
  io_.run();
  EXPECT_THAT(answers_,
              ElementsAre("digitd answered 2 pictures with 1 results", "digitd answered 2 pictures with 1 results"));
}

TEST_F(CoalescerTest, WhatIsRefusedTogetherIsAskedOneByOne) {
  limit_ = 1;
  for (const char* picture : {"a", "b", "c"}) Ask("m", "", picture);
  io_.run();
  EXPECT_EQ(calls_.size(), 4u);
  EXPECT_THAT(answers_, ElementsAre("a->is a", "b->is b", "c->is c"));
  io_.restart();
  limit_ = 0;
  Ask("m", "", "d");
  io_.run();
  EXPECT_EQ(answers_.back(), "too many images");
}

TEST_F(CoalescerTest, WhoGoesAwayIsDoneAtOnceAndTheOthersGetTheirs) {
  held_up_ = true;
  for (const char* picture : {"a", "b", "c"}) Ask("m", "", picture);
  io_.poll();
  ASSERT_EQ(calls_.size(), 1u);
  exchanges_[1].on_gone();
  exchanges_[1].on_gone();  // told twice
  io_.poll();
  EXPECT_THAT(answers_, ElementsAre("the client has gone"));
  answer_later_[0]();
  io_.poll();
  EXPECT_THAT(answers_, ElementsAre("the client has gone", "a->is a", "c->is c"));
  for (const HttpExchange& exchange : exchanges_) EXPECT_EQ(exchange.on_gone, nullptr);
}

TEST(CoalescerIsSmallTest, IsAPlainPngOfFewPixelsAndBytes) {
  const auto png = [](char width_high, char width, int data) {
    const std::string ends("\0\0\0\0IENDcrc.", 12);
    const std::string size{'\0', '\0', static_cast<char>(data >> 8), static_cast<char>(data)};
    return std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 18) + width_high + width +
           std::string("\0\0\0\x1c\x8\0\0\0\0crc.", 13) + size + "IDAT" + std::string(static_cast<size_t>(data), 'x') +
           "crc." + ends;
  };
  EXPECT_TRUE(Coalescer::IsSmall(png(0, 28, 300)));
  EXPECT_TRUE(Coalescer::IsSmall(png(0, 64, 4039)));
  EXPECT_FALSE(Coalescer::IsSmall(png(0, 64, 4040)));
  EXPECT_FALSE(Coalescer::IsSmall(png(0, 65, 300)));
  EXPECT_FALSE(Coalescer::IsSmall(png(1, 28, 300)));
  EXPECT_FALSE(Coalescer::IsSmall(png(0, 28, 300) + "x"));
  EXPECT_FALSE(Coalescer::IsSmall("\xff\xd8\xff\xe0 a JPEG file of more than a few bytes"));
}

}  // namespace
}  // namespace digit
