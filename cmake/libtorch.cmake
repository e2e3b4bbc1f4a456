# LibTorch as the target digit_libtorch: 1.13 from Debian or 2.x, for the CPU or CUDA. Its own CMake files find it, also
# through CMAKE_PREFIX_PATH, unless DIGIT_LIBTORCH names its folder (that of Python's package torch, for one): those of
# a CUDA build ask for parts of CUDA that are not used here and that newer versions of it no longer have.
# DIGIT_TORCH_CUDA is true when it has CUDA: CUDA is then a language of this project (nvcc: PATH or CUDACXX), and
# digit_libtorch brings CUDA's runtime and defines DIGIT_TORCH_CUDA.
set(DIGIT_LIBTORCH "" CACHE PATH "LibTorch's folder, with include and lib in it; empty: find_package(Torch)")
set(CMAKE_CUDA_ARCHITECTURES 80 90 CACHE STRING "Compute capabilities that kernels are compiled for")

add_library(digit_libtorch INTERFACE)
if(DIGIT_LIBTORCH)
  foreach(part c10 torch_cpu torch c10_cuda torch_cuda)
    find_library(${part}_library ${part} PATHS ${DIGIT_LIBTORCH}
      PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH NO_CACHE)
    if(${part}_library)
      target_link_libraries(digit_libtorch INTERFACE ${${part}_library})
    elseif(NOT part MATCHES cuda)
      message(FATAL_ERROR "DIGIT_LIBTORCH: no lib${part}.so in ${DIGIT_LIBTORCH}/lib")
    endif()
  endforeach()
  set(TORCH_INCLUDE_DIRS ${DIGIT_LIBTORCH}/include ${DIGIT_LIBTORCH}/include/torch/csrc/api/include)
  set(DIGIT_TORCH_CUDA ${torch_cuda_library})
else()
  # Wrapped so that no flag of its leaks into other targets.
  set(saved_cxx_flags "${CMAKE_CXX_FLAGS}")
  set(saved_cuda_flags "${CMAKE_CUDA_FLAGS}")
  find_package(Torch REQUIRED)
  set(CMAKE_CXX_FLAGS "${saved_cxx_flags}")
  set(CMAKE_CUDA_FLAGS "${saved_cuda_flags}")
  unset(CMAKE_CUDA_ARCHITECTURES)
  target_link_libraries(digit_libtorch INTERFACE ${TORCH_LIBRARIES})
  separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(digit_libtorch INTERFACE ${torch_flags})
  if(TARGET torch_cuda)
    set(DIGIT_TORCH_CUDA ON)
  endif()
endif()
target_include_directories(digit_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_options(digit_libtorch INTERFACE LINKER:--allow-shlib-undefined)  # what it needs in turn is its own affair

if(DIGIT_TORCH_CUDA)
  set(DIGIT_TORCH_CUDA ON)
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  # One CUDA runtime in the process: that which lies beside Python's torch and which it loads, or else the compiler's.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  file(GLOB beside ${DIGIT_LIBTORCH}/../nvidia/*)
  find_library(cudart_library NAMES cudart libcudart.so.13 libcudart.so.12 NAMES_PER_DIR REQUIRED
    PATHS ${beside} ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} PATH_SUFFIXES lib NO_DEFAULT_PATH NO_CACHE)
  get_filename_component(cudart_folder ${cudart_library} DIRECTORY)
  target_link_libraries(digit_libtorch INTERFACE ${cudart_library})
  # libtorch_cuda.so is needed although no symbol of it may be used here.
  target_link_options(digit_libtorch INTERFACE LINKER:--no-as-needed LINKER:-rpath,${cudart_folder})
  target_compile_definitions(digit_libtorch INTERFACE DIGIT_TORCH_CUDA)
  # LibTorch's headers include those of cuBLAS and more; where the compiler comes without, they may lie beside as well.
  set(cuda_include ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})  # CMake does not always find it
  if(CMAKE_CUDA_COMPILER_TOOLKIT_ROOT)
    list(APPEND cuda_include ${CMAKE_CUDA_COMPILER_TOOLKIT_ROOT}/include)
  endif()
  list(FILTER cuda_include EXCLUDE REGEX "^/usr/include$")  # the compiler's own place must stay where it is in the order
  target_include_directories(digit_libtorch SYSTEM INTERFACE ${cuda_include})
  # CUDA 13 keeps <nv/target>, which cuda_fp16.h includes, where nvcc looks and a C++ compiler does not.
  find_path(cccl_folder nv/target NO_DEFAULT_PATH NO_CACHE PATHS ${cuda_include} PATH_SUFFIXES cccl)
  if(cccl_folder)
    target_include_directories(digit_libtorch SYSTEM INTERFACE ${cccl_folder})
  endif()
  find_path(cusparse_folder cusparse.h NO_DEFAULT_PATH NO_CACHE
    PATHS ${cuda_include} ${CMAKE_CUDA_IMPLICIT_INCLUDE_DIRECTORIES} /usr/include)
  if(NOT cusparse_folder)
    list(TRANSFORM beside APPEND /include)
    target_include_directories(digit_libtorch SYSTEM INTERFACE ${beside})
  endif()
endif()
