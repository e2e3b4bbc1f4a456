#include "daemon/registry/answer_counters.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

Interpretation Answer(int label, float confidence = 0.5f, Verdict verdict = Verdict::kConfident) {
  Interpretation answer;
  answer.label_index = label;
  answer.confidence = confidence;
  answer.verdict = verdict;
  return answer;
}

// `images` answers in chunks of `chunk`.
void Count(int images, int label, AnswerCounters* counters, int chunk = 1) {
  for (int done = 0; done < images; done += chunk) {
    AnswerCounters::Chunk counted(counters, chunk);
    for (int i = 0; i < chunk; ++i) counted.Add(Answer(label));
  }
}

TEST(AnswerCountersTest, SumsClassesVerdictsAndConfidence) {
  AnswerCounters counters(3);
  {
    AnswerCounters::Chunk chunk(&counters, 4);
    chunk.Add(Answer(0, 1.0f));
    chunk.Add(Answer(2, 0.5f, Verdict::kUnsure));
    chunk.Add(Answer(2, 0.25f, Verdict::kNotADigit));  // not counted as a 2
    chunk.Add(Answer(2, 0.75f));
  }
  counters.AddNoDigit();
  const AnswerCounters::Snapshot snapshot = counters.Read();
  EXPECT_THAT(snapshot.all.classes, ElementsAre(1, 0, 2, 1));
  EXPECT_EQ(snapshot.all.images(), 4);
  EXPECT_NEAR(snapshot.all.confidence, 2.5, 1e-5);
  EXPECT_EQ(snapshot.all.unsure, 1);
  EXPECT_EQ(snapshot.all.no_digit, 1);
}

TEST(AnswerCountersTest, AWindowIsAThousandAnswersOrAHundredAClass) {
  EXPECT_EQ(AnswerCounters::Window(2), 1000);
  EXPECT_EQ(AnswerCounters::Window(10), 1000);
  EXPECT_EQ(AnswerCounters::Window(100), 10'000);
}

TEST(AnswerCountersTest, TheFirstWindowIsTheReference) {
  AnswerCounters counters(2);
  Count(999, 0, &counters);
  EXPECT_FALSE(counters.Read().reference.has_value());
  Count(1, 0, &counters);
  ASSERT_TRUE(counters.Read().reference.has_value());
  EXPECT_FALSE(counters.Read().latest.has_value());
  Count(5000, 1, &counters);
  EXPECT_THAT(counters.Read().reference->classes, ElementsAre(1000, 0, 0));
  EXPECT_THAT(counters.Read().all.classes, ElementsAre(1000, 5000, 0));
}

TEST(AnswerCountersTest, TheLatestAreTheBlockBeingFilledAndTheOneBefore) {
  AnswerCounters counters(2);
  Count(1000, 0, &counters);
  Count(999, 1, &counters);
  EXPECT_FALSE(counters.Read().latest.has_value());
  Count(1, 1, &counters);
  EXPECT_THAT(counters.Read().latest->classes, ElementsAre(0, 1000, 0));
  Count(300, 0, &counters);
  EXPECT_THAT(counters.Read().latest->classes, ElementsAre(300, 1000, 0));
  Count(10'000, 0, &counters);  // blocks are used again and again, and emptied before
  EXPECT_THAT(counters.Read().latest->classes, ElementsAre(1300, 0, 0));
}

TEST(AnswerCountersTest, ChunksThatCrossBlocksLoseNothing) {
  AnswerCounters counters(2);
  Count(1024 * 30, 1, &counters, /*chunk=*/1024);
  const AnswerCounters::Snapshot snapshot = counters.Read();
  EXPECT_EQ(snapshot.all.images(), 1024 * 30);
  EXPECT_EQ(snapshot.reference->images(), 1024);
  EXPECT_GE(snapshot.latest->images(), 1000);
  EXPECT_LE(snapshot.latest->images(), 3072);
}

TEST(AnswerCountersTest, ThreadsLoseNoAnswerOfTheSum) {
  AnswerCounters counters(10);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&, t] { Count(20'000, t, &counters, /*chunk=*/8); });
  for (std::thread& thread : threads) thread.join();
  const AnswerCounters::Snapshot snapshot = counters.Read();
  EXPECT_THAT(snapshot.all.classes, ElementsAre(20'000, 20'000, 20'000, 20'000, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(snapshot.reference->images(), 1000);
}

}  // namespace
}  // namespace digit
