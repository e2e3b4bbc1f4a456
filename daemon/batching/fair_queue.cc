#include "daemon/batching/fair_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace digit {

FairQueue::FairQueue(int quantum) : quantum_(quantum) { DIGIT_CHECK(quantum >= 1); }

void FairQueue::Add(std::unique_ptr<Task> task) {
  const auto [found, is_new] = by_id_.try_emplace(task->flow());
  if (is_new) {
    if (idle_.empty()) idle_.emplace_back();
    flows_.splice(flows_.end(), idle_, idle_.begin());
    found->second = std::prev(flows_.end());
    found->second->id = task->flow();
    found->second->deficit = quantum_;
  }
  Flow& flow = *found->second;
  flow.num_images += task->num_images();
  num_images_ += task->num_images();
  flow.tasks.push_back(std::move(task));
}

const Task* FairQueue::Front() {
  if (empty()) return nullptr;
  while (flows_.front().tasks.front()->num_images() > flows_.front().deficit) {
    flows_.front().deficit += quantum_;
    flows_.splice(flows_.end(), flows_, flows_.begin());
  }
  return flows_.front().tasks.front().get();
}

std::unique_ptr<Task> FairQueue::Pop() {
  DIGIT_CHECK(Front() != nullptr);
  Flow& flow = flows_.front();
  std::unique_ptr<Task> task = std::move(flow.tasks.front());
  flow.tasks.pop_front();
  flow.deficit -= task->num_images();
  flow.num_images -= task->num_images();
  num_images_ -= task->num_images();
  if (flow.tasks.empty()) {
    by_id_.erase(flow.id);
    idle_.splice(idle_.begin(), flows_, flows_.begin());
  }
  return task;
}

SteadyTime FairQueue::OldestEntered() const {
  SteadyTime oldest = SteadyTime::InfiniteFuture();
  for (const Flow& flow : flows_) oldest = std::min(oldest, flow.tasks.front()->entered());
  return oldest;
}

SteadyTime FairQueue::EarliestDue() const {
  SteadyTime earliest = SteadyTime::InfiniteFuture();
  for (const Flow& flow : flows_) {
    for (const std::unique_ptr<Task>& task : flow.tasks) earliest = std::min(earliest, task->due());
  }
  return earliest;
}

int FairQueue::num_images_of(FlowId flow) const {
  const auto found = by_id_.find(flow);
  return found == by_id_.end() ? 0 : found->second->num_images;
}

}  // namespace digit
