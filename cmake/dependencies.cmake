# What the project builds with: Debian 12's packages, each with the version it has there and the reason.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(absl REQUIRED)         # 20220623: Status, Span, strings, time
find_package(spdlog REQUIRED)       # 1.10: logging, behind base/log.h
find_package(ZLIB REQUIRED)         # 1.2.13: gzip IDX files, deflated zip entries
find_package(OpenSSL REQUIRED COMPONENTS Crypto)  # 3.0: SHA-256
find_package(Boost 1.81 REQUIRED)   # headers only: JSON, Asio and Beast
find_package(CLI11 REQUIRED)        # 2.1.2: flags of every program
find_package(hwy REQUIRED)          # 1.0: Highway, portable SIMD
if(DIGIT_BUILD_SERVING)
  find_package(Protobuf REQUIRED)   # 3.21: the wire format
  find_package(gRPC REQUIRED)       # 1.51: the RPC runtime
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(LEPTONICA REQUIRED IMPORTED_TARGET lept)  # 1.82: image decoding and area scaling
  pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-pull)  # 1.0: metrics over HTTP
  find_package(SQLite3 REQUIRED)    # 3.40: corrections
endif()
if(DIGIT_BUILD_TORCH)
  include(libtorch)                 # 1.13, or 2.x, CPU or CUDA
endif()
if(DIGIT_BUILD_TESTS)
  find_package(GTest REQUIRED)      # 1.12
endif()
