#include "daemon/batching/help_policy.h"

namespace digit {

int ImagesToHelpWith(const HelpRequest& request, const CostModel& cost) {
  if (cost.Predict(1) <= absl::ZeroDuration()) return 0;
  int images = 0;
  // Costs grow with the images: the highest bit first.
  for (int step = 1 << 10; step > 0; step /= 2) {
    const int more = images + step;
    if (more <= request.max_images && cost.Predict(more) < request.others_done) images = more;
  }
  return images;
}

}  // namespace digit
