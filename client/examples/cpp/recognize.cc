// recognize FILE...: what digits the pictures show, by the digitd at $DIGIT_SERVER.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "client/lib/client.h"

namespace {

std::string Read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  digit::ClientOptions options;
  if (const char* server = std::getenv("DIGIT_SERVER")) options.server = server;
  const absl::StatusOr<std::unique_ptr<digit::Client>> client = digit::Client::Create(options);
  if (!client.ok()) return Fail(client.status());
  digit::v1::RecognizeRequest request;
  for (int i = 1; i < argc; ++i) request.add_images()->set_encoded(Read(argv[i]));
  const absl::StatusOr<digit::v1::RecognizeResponse> response = (*client)->Recognize(request);
  if (!response.ok()) return Fail(response.status());
  int code = 0;
  for (int i = 1; i < argc; ++i) {
    const digit::v1::Result& result = response->results(i - 1);
    if (result.has_error()) {
      std::printf("%s: %s\n", argv[i], result.error().message().c_str());
      code = 1;
    } else {
      std::printf("%s: %s (%.1f%%)\n", argv[i], result.prediction().label().c_str(),
                  100 * result.prediction().confidence());
    }
  }
  return code;
}
