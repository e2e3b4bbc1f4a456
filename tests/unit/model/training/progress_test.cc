#include "model/training/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace digit {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// What a Progress with these steps prints.
std::string Printed(bool is_terminal) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  Progress progress(out, is_terminal, 2, 10);
  for (int64_t step = 0; step < 10; ++step) progress.Step(step, 1.0);
  EpochRecord record;
  record.loss = 0.5;
  record.validation_accuracy = 0.991;
  record.seconds = 4;
  progress.EpochDone(1, record);
  std::fclose(out);
  const std::string printed(text, size);
  std::free(text);
  return printed;
}

TEST(ProgressTest, IsOnePlainLineAnEpochWithoutATerminal) {
  EXPECT_EQ(Printed(false), "epoch 1/2: loss 0.5000, validation 99.10 %, 4.0 s\n");
}

TEST(ProgressTest, SaysMoreOfAShortEpoch) {
  EpochRecord record;
  record.seconds = 0.0876;
  EXPECT_THAT(EpochLine(1, 2, record), EndsWith(", 0.088 s"));
  record.seconds = 4.26;
  EXPECT_THAT(EpochLine(1, 2, record), EndsWith(", 4.3 s"));
}

TEST(ProgressTest, DrawsABarOverItselfOnATerminal) {
  const std::string printed = Printed(true);
  EXPECT_THAT(printed, HasSubstr("\r\033[Kepoch 1/2 [###############...............]  50 %  1 s left"));
  EXPECT_THAT(printed, HasSubstr("\r\033[Kepoch 1/2: loss 0.5000"));
}

// Ctrl-C leaves an epoch half done: the message that follows must not stand behind the bar.
TEST(ProgressTest, LeavesAnEmptyLineWhenItIsStoppedInAnEpoch) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  { Progress(out, true, 2, 10).Step(5, 1.0); }
  std::fclose(out);
  EXPECT_THAT(std::string(text, size), EndsWith("1 s left\r\033[K"));
  std::free(text);
}

}  // namespace
}  // namespace digit
