#include "client/ctl/bench/recorder.h"

#include "gtest/gtest.h"
#include "tests/unit/client/ctl/bench/load_fixture.h"

namespace digit {
namespace {

// Counting begins on another thread than sending does: what was sent before is not counted when it is answered, even
// if it was due after.
TEST(RecorderTest, ARequestIsCountedWithItsAnswerOrNotAtAll) {
  const MessageSet messages(PlainPictures(1), OptionsOf(BenchMode::kUnary, 1), "m", "v", absl::Seconds(1));
  const AnswerCheck check = CheckOf(1);
  Recorder recorder(messages, check);
  const Steady::time_point start;
  Ticket before{.due = start + std::chrono::milliseconds(2)}, after{.due = start + std::chrono::milliseconds(3)};
  recorder.Sent(&before, before.due);
  recorder.CountFrom(start + std::chrono::milliseconds(1));
  recorder.Sent(&after, after.due);
  for (const Ticket& ticket : {before, after}) recorder.Failed(ticket, 14, "away", start + std::chrono::seconds(1));
  const BenchCounts counts = recorder.Take();
  EXPECT_EQ(counts.sent, 1);
  EXPECT_EQ(counts.errors, 1);
}

}  // namespace
}  // namespace digit
