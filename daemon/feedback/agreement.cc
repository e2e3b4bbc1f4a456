#include "daemon/feedback/agreement.h"

#include <algorithm>

namespace digit {
namespace {

const Claim* ReviewOf(const std::string& truth, const std::vector<Claim>& claims) {
  const auto found = std::find_if(claims.begin(), claims.end(),
                                  [&](const Claim& claim) { return claim.reviewed && claim.truth == truth; });
  return found == claims.end() ? nullptr : &*found;
}

bool IsAgreed(const std::string& truth, int agreement, const std::vector<Claim>& claims) {
  int same = 0;
  for (const Claim& claim : claims) {
    if (claim.truth == truth) {
      ++same;
    } else if (!claim.reviewed || claim.state != CorrectionState::kRejected) {
      return false;
    }
  }
  return agreement > 0 && same >= agreement;
}

}  // namespace

void Settle(int agreement, std::vector<Claim>* claims) {
  for (Claim& claim : *claims) {
    if (claim.reviewed) continue;
    if (const Claim* review = ReviewOf(claim.truth, *claims)) {
      claim.state = review->state;
      claim.reviewed = true;
    } else {
      claim.state = IsAgreed(claim.truth, agreement, *claims) ? CorrectionState::kAccepted : CorrectionState::kPending;
    }
  }
}

void Review(size_t reviewed, CorrectionState state, int agreement, std::vector<Claim>* claims) {
  const std::string truth = (*claims)[reviewed].truth;
  for (Claim& claim : *claims) {
    if (claim.truth == truth) {
      claim.state = state;
      claim.reviewed = state != CorrectionState::kPending;
    } else if (state == CorrectionState::kAccepted) {
      claim.state = CorrectionState::kRejected;
      claim.reviewed = true;
    }
  }
  Settle(agreement, claims);
}

}  // namespace digit
