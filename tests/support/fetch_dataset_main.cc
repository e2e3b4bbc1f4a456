// fetch_dataset NAME FOLDER: what `digit-train fetch` does, for builds without LibTorch. Test support only.
#include <iostream>

#include "model/dataset/fetch.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: fetch_dataset mnist|fashion-mnist FOLDER\n";
    return 2;
  }
  digit::FetchOptions options;
  options.on_progress = [](absl::string_view line) { std::cerr << line << "\n"; };
  const absl::Status status = digit::FetchDataSet(argv[1], argv[2], options);
  if (status.ok()) return 0;
  std::cerr << status.message() << "\n";
  return 1;
}
