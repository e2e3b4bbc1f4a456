// Waiting tasks of one priority: first in, first out within a flow, flows by deficit round robin in images (Shreedhar &
// Varghese 1995, "Efficient Fair Queueing Using Deficit Round Robin"). So a stream with hundreds of images in the queue
// delays a lonely request by one quantum, not by all of them.
//
// Pure: no threads, no clock. Add(), Front() and Pop() cost O(1) but for a task larger than the quantum, which takes
// images / quantum rounds. Memory of flows that went idle is kept for the next ones. Not thread-safe.
#pragma once

#include <deque>
#include <list>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "daemon/batching/task.h"

namespace digit {

class FairQueue {
 public:
  // `quantum`: images a flow may take in its turn, >= 1.
  explicit FairQueue(int quantum);

  void Add(std::unique_ptr<Task> task);

  // The task whose turn it is; nullptr when empty. The same until it is popped, whatever is added.
  const Task* Front();
  std::unique_ptr<Task> Pop();  // not empty

  // When the longest-waiting task entered; InfiniteFuture() when empty. O(flows).
  SteadyTime OldestEntered() const;
  // The earliest Task::due(); InfiniteFuture() when empty. O(tasks).
  SteadyTime EarliestDue() const;

  int num_images() const { return num_images_; }
  int num_flows() const { return static_cast<int>(flows_.size()); }  // that wait
  int num_images_of(FlowId flow) const;
  int quantum() const { return quantum_; }
  bool empty() const { return num_images_ == 0; }

 private:
  struct Flow {
    FlowId id = 0;
    std::deque<std::unique_ptr<Task>> tasks;
    int num_images = 0;
    int deficit = 0;  // images it may still take in its turn
  };

  const int quantum_;
  int num_images_ = 0;
  std::list<Flow> flows_;  // those that wait, in order of their turns; the first one has it
  std::list<Flow> idle_;
  absl::flat_hash_map<FlowId, std::list<Flow>::iterator> by_id_;  // of flows_
};

}  // namespace digit
