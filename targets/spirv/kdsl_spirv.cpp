/* kdsl_spirv.cpp - kdsl-spirv: makes SPIR-V of LLVM bitcode, for libkdsl-codegen, which starts it and talks to it over descriptor 0.
 *
 * A process of its own, because the translator ends or aborts the process where it meets an error, and has no C interface. */
#include "targets/spirv/protocol.h"

#include <LLVMSPIRVLib/LLVMSPIRVLib.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>

#ifdef KD_HAVE_SPIRV_TOOLS
#include <spirv-tools/libspirv.h>
#endif

#include <cerrno>
#include <sstream>
#include <string>
#include <unistd.h>

namespace {

bool read_all(void *to, size_t n)
{
    char *at = static_cast<char *>(to);
    while (n) {
        ssize_t got = read(0, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= static_cast<size_t>(got);
    }
    return true;
}

bool write_all(const void *from, size_t n)
{
    const char *at = static_cast<const char *>(from);
    while (n) {
        ssize_t put = write(0, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        n -= static_cast<size_t>(put);
    }
    return true;
}

/* Extensions that Intel's compiler and PoCL take. */
SPIRV::TranslatorOpts translator_options()
{
    using SPIRV::ExtensionID;
    SPIRV::TranslatorOpts options(SPIRV::VersionNumber::SPIRV_1_4);
    for (ExtensionID id : {ExtensionID::SPV_EXT_shader_atomic_float_add, ExtensionID::SPV_EXT_shader_atomic_float_min_max,
                           ExtensionID::SPV_KHR_bit_instructions, ExtensionID::SPV_KHR_no_integer_wrap_decoration,
                           ExtensionID::SPV_KHR_expect_assume, ExtensionID::SPV_INTEL_subgroups, ExtensionID::SPV_INTEL_split_barrier,
                           ExtensionID::SPV_INTEL_bfloat16_conversion, ExtensionID::SPV_INTEL_cache_controls,
                           ExtensionID::SPV_INTEL_kernel_attributes})
        options.setAllowedToUseExtension(id, true);
    options.setFPContractMode(SPIRV::FPContractMode::Off); /* numbers are those of the CPU */
    return options;
}

bool translate(const std::string &bitcode, std::string &out)
{
    llvm::LLVMContext context;
    auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bitcode, "kernel"), context);
    if (!module) {
        out = llvm::toString(module.takeError());
        return false;
    }
    std::ostringstream spirv;
    std::string why;
    bool ok = llvm::writeSpirv(module->get(), translator_options(), spirv, why);
    out = ok ? spirv.str() : why;
    return ok;
}

#ifdef KD_HAVE_SPIRV_TOOLS
std::string text_of(spv_diagnostic diagnostic)
{
    std::string text = diagnostic && diagnostic->error ? diagnostic->error : "unknown error";
    spvDiagnosticDestroy(diagnostic);
    return text;
}

bool validate(std::string &bytes)
{
    spv_context context = spvContextCreate(SPV_ENV_UNIVERSAL_1_4);
    spv_const_binary_t binary = {reinterpret_cast<const uint32_t *>(bytes.data()), bytes.size() / 4};
    spv_diagnostic diagnostic = nullptr;
    bool ok = spvValidate(context, &binary, &diagnostic) == SPV_SUCCESS;
    if (!ok)
        bytes = "SPIR-V's validator says: " + text_of(diagnostic);
    spvContextDestroy(context);
    return ok;
}

bool disassemble(std::string &bytes)
{
    spv_context context = spvContextCreate(SPV_ENV_UNIVERSAL_1_4);
    spv_text text = nullptr;
    spv_diagnostic diagnostic = nullptr;
    bool ok = spvBinaryToText(context, reinterpret_cast<const uint32_t *>(bytes.data()), bytes.size() / 4,
                              SPV_BINARY_TO_TEXT_OPTION_INDENT | SPV_BINARY_TO_TEXT_OPTION_FRIENDLY_NAMES, &text, &diagnostic) == SPV_SUCCESS;
    bytes = ok ? std::string(text->str, text->length) : text_of(diagnostic);
    spvTextDestroy(text);
    spvContextDestroy(context);
    return ok;
}
#else
bool validate(std::string &bytes)
{
    bytes = "this build of kdsl has no SPIR-V validator (spirv-tools)";
    return false;
}

bool disassemble(std::string &bytes)
{
    bytes = "this build of kdsl has no SPIR-V disassembler (spirv-tools)";
    return false;
}
#endif

} // namespace

int main()
{
    kd_translate_message request;
    while (read_all(&request, sizeof request) && request.magic == KD_TRANSLATE_MAGIC) {
        std::string bitcode(request.n_bytes, 0), out;
        if (!read_all(bitcode.data(), bitcode.size()))
            return 1;
        bool ok = translate(bitcode, out);
        ok = ok && (!(request.what & KD_TRANSLATE_VALIDATE) || validate(out));
        ok = ok && (!(request.what & KD_TRANSLATE_TEXT) || disassemble(out));
        kd_translate_message answer = {KD_TRANSLATE_MAGIC, ok ? 0u : 1u, out.size()};
        if (!write_all(&answer, sizeof answer) || !write_all(out.data(), out.size()))
            return 1;
    }
    return 0;
}
