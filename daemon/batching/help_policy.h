// How much of a queue an executor may take that only helps: a CPU beside a GPU that is busy. Pure.
#pragma once

#include "absl/time/time.h"
#include "daemon/batching/cost_model.h"

namespace digit {

struct HelpRequest {
  int max_images = 0;          // that it takes at once
  absl::Duration others_done;  // from now: when the first of the others would have run what waits
};

// The most images that `cost` says it will have done before the others would; 0: none. Without an observation in `cost`
// nothing is known, and the others do it.
int ImagesToHelpWith(const HelpRequest& request, const CostModel& cost);

}  // namespace digit
