// What one version of a model has answered: counted while it answers, read by whoever wants statistics.
//
// Counting is a few relaxed atomic additions a chunk and two an image: no lock, no allocation, on executor threads.
// Beside the sum there are two windows to compare, of Window() answers each or somewhat more: the version's first ones,
// and its latest, which are the block that is being filled and the one before it. A count may land in a neighbouring
// block, and a few may get lost when a thread is held up for a whole block: this is statistics, no book-keeping.
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/spec/interpretation.h"

namespace digit {

// A sum over answers.
struct AnswerTally {
  std::vector<int64_t> classes;  // by label; those with verdict NOT_A_DIGIT at the end instead
  double confidence = 0;         // sum
  int64_t unsure = 0;            // with verdict UNSURE
  int64_t no_digit = 0;          // blank pictures, which are not classified

  int64_t images() const;                             // sum of `classes`
  AnswerTally& operator+=(const AnswerTally& other);  // of as many classes
};

class AnswerCounters {
 public:
  explicit AnswerCounters(int num_classes);

  // The answers of one chunk: made, then Add() for each of them, then dropped.
  class Chunk {
   public:
    Chunk(AnswerCounters* counters, int images);  // images: how many there will be, >= 1
    ~Chunk();
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    void Add(const Interpretation& answer);

   private:
    AnswerCounters* const counters_;
    const size_t block_;
    int64_t confidence_ = 0, unsure_ = 0;
  };
  void AddNoDigit();

  struct Snapshot {
    AnswerTally all;
    std::optional<AnswerTally> reference, latest;  // absent: too few answers yet
  };
  Snapshot Read() const;

  int num_classes() const { return num_classes_; }
  // 1,000 answers, or 100 a class: then shares of classes that have not changed differ by little (drift.h).
  static int64_t Window(int num_classes);

 private:
  // Of each tally: num_classes_ + 1 classes, then these.
  enum Extra { kConfidence, kUnsure, kNoDigit, kNumExtras };
  static constexpr size_t kAll = 0, kReference = 1, kFirstBlock = 2, kBlocks = 4, kTallies = kFirstBlock + kBlocks;
  using Counter = std::atomic<int64_t>;

  Counter& At(size_t tally, size_t index) const { return counters_[tally * stride_ + index]; }
  void Add(size_t tally, size_t index, int64_t n) { At(tally, index).fetch_add(n, std::memory_order_relaxed); }
  size_t TallyOf(int64_t answer) const;
  size_t Enter(int images);  // the tally that they belong to
  AnswerTally ReadTally(size_t tally) const;

  const int num_classes_;
  const int64_t window_;
  const size_t stride_;  // whole cache lines
  const std::unique_ptr<Counter[]> counters_;
  alignas(64) Counter answers_{0};  // that were entered; apart from what is only read
};

}  // namespace digit
