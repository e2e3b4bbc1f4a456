#include "client/ctl/bench/result.h"

#include <algorithm>

namespace digit {
namespace {

constexpr size_t kMaxWrongSamples = 5;

double PerImageMicros(absl::Duration cpu, int64_t images) {
  return images == 0 ? 0 : absl::ToDoubleMicroseconds(cpu) / static_cast<double>(images);
}

}  // namespace

void BenchCounts::Merge(const BenchCounts& other) {
  sent += other.sent;
  answers += other.answers;
  errors += other.errors;
  for (const auto& [code, count] : other.errors_by_code) errors_by_code[code] += count;
  if (first_error.empty()) first_error = other.first_error;
  images += other.images;
  wrong += other.wrong;
  for (const std::string& sample : other.wrong_samples) {
    if (wrong_samples.size() < kMaxWrongSamples) wrong_samples.push_back(sample);
  }
  labelled += other.labelled;
  right += other.right;
  latency.Merge(other.latency);
  error_latency.Merge(other.error_latency);
  send_delay.Merge(other.send_delay);
  server.requests += other.server.requests;
  server.decode += other.server.decode;
  server.queue += other.server.queue;
  server.max_queue = std::max(server.max_queue, other.server.max_queue);
  server.compute += other.server.compute;
  server.batch_images += other.server.batch_images;
  server.latency += other.server.latency;
}

double BenchPoint::seconds() const {
  double sum = 0;
  for (const Window& window : windows) sum += window.seconds;
  return sum;
}

int64_t BenchPoint::window_images() const {
  int64_t sum = 0;
  for (const Window& window : windows) sum += window.images;
  return sum;
}

double BenchPoint::images_per_second() const {
  return windows.empty() ? 0 : static_cast<double>(window_images()) / seconds();
}

double BenchPoint::client_cpu_per_image_micros() const { return PerImageMicros(client_cpu, window_images()); }

std::optional<double> BenchPoint::server_cpu_per_image_micros() const {
  if (!server_cpu.has_value()) return std::nullopt;
  return PerImageMicros(*server_cpu, window_images());
}

bool BenchPoint::clean() const {
  return total.answers > 0 && total.errors == 0 && total.wrong == 0 && not_sent == 0 &&
         total.sent == total.answers + total.errors && !interrupted && !given_up;
}

}  // namespace digit
