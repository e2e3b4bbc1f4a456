// What becomes of all that is said of one picture: by review, and by agreement. Pure.
//
// A person's review is of what the picture shows. It holds for every claim of that truth, also later ones, and
// accepting a truth rejects the others. What is not reviewed is accepted while enough sources say the same and none,
// other than those whose truth a person has rejected, says otherwise; else it is pending.
#pragma once

#include <string>
#include <vector>

#include "daemon/feedback/correction.h"

namespace digit {

// What one source says of the picture. A source has at most one claim that is not reviewed, and one of each truth.
struct Claim {
  std::string truth;
  CorrectionState state = CorrectionState::kPending;
  bool reviewed = false;  // a person has decided about this truth
  friend bool operator==(const Claim&, const Claim&) = default;
};

// Brings the states up to date after a claim has come or gone. `agreement`: how many sources are enough; 0: never.
void Settle(int agreement, std::vector<Claim>* claims);

// A person decides about the truth of `reviewed`, an index; kPending takes the decision about it back. Then Settle().
void Review(size_t reviewed, CorrectionState state, int agreement, std::vector<Claim>* claims);

}  // namespace digit
