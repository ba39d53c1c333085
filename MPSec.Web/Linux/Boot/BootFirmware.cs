// UEFI variables as efivarfs shows them (Documentation/filesystems/efivarfs.rst): four bytes of attributes, then the value.
using System.Text;

namespace MPSec.Linux.Boot;

/// <summary>What the firmware tells about how this machine was started.</summary>
/// <param name="IsEfi">Started by UEFI; otherwise by a BIOS or from outside.</param>
/// <param name="SecureBoot">Whether only signed kernels are started; null when the firmware does not tell.</param>
/// <param name="Loader">What the boot loader calls itself, such as <c>systemd-boot 252</c>; null when it left no word.</param>
public sealed record BootFirmware(bool IsEfi, bool? SecureBoot, string? Loader)
{
    private const string Global = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    private const string Systemd = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

    /// <summary>Reads it below <paramref name="root"/>.</summary>
    public static BootFirmware Read(string root) => new(
        Directory.Exists(Path.Combine(root, "sys/firmware/efi")),
        Bytes(root, $"SecureBoot-{Global}") is [var value, ..] ? value == 1 : null,
        SystemdText(root, "LoaderInfo"));

    /// <summary>A text that systemd-boot and the operating system share (its Boot Loader Interface): UTF-16 with a zero at the end.</summary>
    public static string? SystemdText(string root, string name) =>
        Bytes(root, $"{name}-{Systemd}") is { } bytes && Encoding.Unicode.GetString(bytes).TrimEnd('\0') is { Length: > 0 } text ? text : null;

    private static byte[]? Bytes(string root, string name)
    {
        try
        {
            var all = File.ReadAllBytes(Path.Combine(root, "sys/firmware/efi/efivars", name));
            return all.Length > 4 ? all[4..] : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
