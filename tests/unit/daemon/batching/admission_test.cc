#include "daemon/batching/admission.h"

#include "base/retry_after.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kNone = absl::ZeroDuration();
absl::Duration Ms(int ms) { return absl::Milliseconds(ms); }

TEST(PredictWaitTest, AnIdleExecutorStartsAtOnce) {
  const Prediction prediction = PredictWait({Ms(50), kNone}, kNone, Ms(10));
  EXPECT_EQ(prediction.wait, kNone);
  EXPECT_EQ(prediction.finish, Ms(10));
}

TEST(PredictWaitTest, WithNothingAheadItStartsWhenTheFirstExecutorIsDone) {
  EXPECT_EQ(PredictWait({Ms(50), Ms(20)}, kNone, Ms(10)).wait, Ms(20));
}

TEST(PredictWaitTest, ExecutorsShareWhatIsAhead) {
  const Prediction prediction = PredictWait({Ms(50), Ms(20)}, Ms(100), Ms(10));
  EXPECT_EQ(prediction.wait, Ms(85));
  EXPECT_EQ(prediction.finish, Ms(95));
}

TEST(AdmitTest, LetsInWhatMeetsBothBounds) {
  Refusal why;
  EXPECT_TRUE(Admit({Ms(90), Ms(100)}, {.max_queue_wait = Ms(90)}, Ms(125), &why).ok());
}

TEST(AdmitTest, RefusesALongWaitAndSaysWhenToRetry) {
  Refusal why;
  const absl::Status status = Admit({Ms(150), Ms(160)}, {.max_queue_wait = Ms(90)}, absl::InfiniteDuration(), &why);
  EXPECT_EQ(why, Refusal::kWait);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("would wait 150 ms, the limit is 90 ms"));
  EXPECT_EQ(RetryAfterOf(status), Ms(60));
}

TEST(AdmitTest, RefusesWhatWouldMissItsDeadline) {
  Refusal why;
  const absl::Status status = Admit({Ms(90), Ms(100)}, {}, Ms(100), &why);  // with a margin of 25 %
  EXPECT_EQ(why, Refusal::kDeadline);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the deadline is in 100 ms"));
  EXPECT_EQ(RetryAfterOf(status), Ms(25));
}

TEST(AdmitTest, AnIdleExecutorLetsInEvenWhatLooksTooSlow) {
  Refusal why;
  EXPECT_TRUE(Admit({kNone, Ms(100)}, {}, Ms(1), &why).ok());
}

TEST(RetryAfterTest, IsRoundedUpAndAbsentByDefault) {
  EXPECT_EQ(RetryAfterOf(absl::UnavailableError("x")), std::nullopt);
  EXPECT_EQ(RetryAfterOf(WithRetryAfter(absl::UnavailableError("x"), absl::Microseconds(1))), Ms(1));
}

}  // namespace
}  // namespace digit
