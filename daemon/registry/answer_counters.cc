#include "daemon/registry/answer_counters.h"

#include <algorithm>
#include <numeric>

namespace digit {
namespace {

constexpr double kConfidenceUnit = 1 << 20;  // confidences are summed as integers
constexpr size_t kCountersPerLine = 64 / sizeof(int64_t);

size_t RoundUp(size_t n) { return (n + kCountersPerLine - 1) / kCountersPerLine * kCountersPerLine; }

}  // namespace

int64_t AnswerTally::images() const { return std::accumulate(classes.begin(), classes.end(), int64_t{0}); }

AnswerTally& AnswerTally::operator+=(const AnswerTally& other) {
  for (size_t i = 0; i < classes.size(); ++i) classes[i] += other.classes[i];
  confidence += other.confidence;
  unsure += other.unsure;
  no_digit += other.no_digit;
  return *this;
}

int64_t AnswerCounters::Window(int num_classes) { return std::max(1000, 100 * num_classes); }

AnswerCounters::AnswerCounters(int num_classes)
    : num_classes_(num_classes),
      window_(Window(num_classes)),
      stride_(RoundUp(static_cast<size_t>(num_classes) + 1 + kNumExtras)),
      counters_(std::make_unique<Counter[]>(kTallies * stride_)) {}

// Of the answer with that number.
size_t AnswerCounters::TallyOf(int64_t answer) const {
  const int64_t block = answer / window_;
  return block == 0 ? kReference : kFirstBlock + static_cast<size_t>(block) % kBlocks;
}

// Whoever fills a block empties the one after the next, which nobody reads or writes then.
size_t AnswerCounters::Enter(int images) {
  const int64_t first = answers_.fetch_add(images, std::memory_order_relaxed);
  for (int64_t block = first / window_; block < (first + images) / window_; ++block) {
    const size_t emptied = TallyOf((block + 2) * window_);
    for (size_t i = 0; i < stride_; ++i) At(emptied, i).store(0, std::memory_order_relaxed);
  }
  return TallyOf(first);
}

AnswerCounters::Chunk::Chunk(AnswerCounters* counters, int images)
    : counters_(counters), block_(counters->Enter(images)) {}

void AnswerCounters::Chunk::Add(const Interpretation& answer) {
  const size_t index = answer.verdict == Verdict::kNotADigit ? static_cast<size_t>(counters_->num_classes_)
                                                             : static_cast<size_t>(answer.label_index);
  counters_->Add(kAll, index, 1);
  counters_->Add(block_, index, 1);
  confidence_ += static_cast<int64_t>(answer.confidence * kConfidenceUnit);
  unsure_ += answer.verdict == Verdict::kUnsure ? 1 : 0;
}

AnswerCounters::Chunk::~Chunk() {
  const size_t extras = static_cast<size_t>(counters_->num_classes_) + 1;
  for (const size_t tally : {size_t{kAll}, block_}) {
    counters_->Add(tally, extras + kConfidence, confidence_);
    if (unsure_ > 0) counters_->Add(tally, extras + kUnsure, unsure_);
  }
}

void AnswerCounters::AddNoDigit() {
  const size_t index = static_cast<size_t>(num_classes_) + 1 + kNoDigit;
  Add(kAll, index, 1);
  Add(TallyOf(answers_.load(std::memory_order_relaxed)), index, 1);
}

AnswerTally AnswerCounters::ReadTally(size_t tally) const {
  const auto read = [&](size_t index) { return At(tally, index).load(std::memory_order_relaxed); };
  const size_t extras = static_cast<size_t>(num_classes_) + 1;
  AnswerTally sum;
  for (size_t i = 0; i < extras; ++i) sum.classes.push_back(read(i));
  sum.confidence = static_cast<double>(read(extras + kConfidence)) / kConfidenceUnit;
  sum.unsure = read(extras + kUnsure);
  sum.no_digit = read(extras + kNoDigit);
  return sum;
}

AnswerCounters::Snapshot AnswerCounters::Read() const {
  Snapshot snapshot{.all = ReadTally(kAll)};
  const int64_t answers = answers_.load(std::memory_order_relaxed);
  if (answers >= window_) snapshot.reference = ReadTally(kReference);
  if (answers >= 2 * window_) {
    snapshot.latest = ReadTally(TallyOf(answers));
    const size_t before = TallyOf(answers - window_);
    *snapshot.latest += ReadTally(before);
  }
  return snapshot;
}

}  // namespace digit
