# Makes llama-cpp-python compile libllama and ggml only. CMake reads this at the end of llama.cpp's own project(), because
# of CMAKE_PROJECT_llama.cpp_INCLUDE, which build_flags.py sets: the package forces llama.cpp's "common" library on, and
# this is the one place behind that. SparkDesk uses none of what is left out.
set(LLAMA_BUILD_COMMON OFF)
