// Where a call's wall-clock deadline becomes steady time.
#pragma once

#include "base/clock.h"
#include "grpcpp/server_context.h"

namespace digit {

// InfiniteFuture() for a call without one.
inline SteadyTime DeadlineOf(const grpc::ServerContextBase& context, const Clock& clock) {
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return SteadyTime::InfiniteFuture();
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  return clock.Now() + absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace digit
