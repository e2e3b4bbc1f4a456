// A task that remembers what became of it.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "daemon/batching/task.h"

namespace digit {

// What became of a FakeTask; outlives it. Thread-safe.
struct FakeTaskFate {
  std::atomic<bool> cancelled{false};
  static constexpr int kIds = 4096;
  std::atomic<int> failures{0};
  std::array<std::atomic<int>, kIds> failures_of{};  // by id modulo kIds
  std::atomic<absl::StatusCode> failure{absl::StatusCode::kOk};
};

class FakeTask : public Task {
 public:
  FakeTask(int id, int num_images, SteadyTime deadline, std::shared_ptr<FakeTaskFate> fate, TaskClass task_class = {})
      : Task(num_images, deadline, task_class), id_(id), fate_(std::move(fate)) {}
  int id() const { return id_; }
  bool cancelled() const override { return fate_->cancelled; }
  void Fail(const absl::Status& status) override {
    fate_->failure = status.code();
    ++fate_->failures_of[id_ % FakeTaskFate::kIds];
    ++fate_->failures;
  }

 private:
  const int id_;
  const std::shared_ptr<FakeTaskFate> fate_;
};

inline int IdOf(const Task& task) { return static_cast<const FakeTask&>(task).id(); }

}  // namespace digit
