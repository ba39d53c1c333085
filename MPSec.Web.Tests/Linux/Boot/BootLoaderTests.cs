using System.Text;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Linux.Boot;

/// <summary>What is found on a tree that a test made.</summary>
public sealed class BootLoaderTests : IDisposable
{
    private const string Global = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    private const string Systemd = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    private readonly string _root = Directory.CreateTempSubdirectory("mpsec-loader-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Find_NothingThere_SaysThatTheKernelComesFromOutside()
    {
        var found = Find();
        Assert.Equal(BootLoaderKind.None, found.Kind);
        Assert.Contains("started from outside", found.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("grub")]
    [InlineData("grub2")]
    public void Find_GrubThatStartedThisKernel_IsFoundByItsNames(string prefix)
    {
        Write($"boot/{prefix}/grub.cfg", "");
        Assert.Contains("given from outside", Find().Sentence, StringComparison.Ordinal); // on the disk, but not what started it
        Write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz-1 ro");
        Assert.Equal(new(BootLoaderKind.Grub, $"GRUB, /boot/{prefix}/grub.cfg", "/boot/" + prefix, prefix), Find());
        var lacking = Find(prefix + "-reboot");
        Assert.Equal(BootLoaderKind.None, lacking.Kind);
        Assert.Contains($"{prefix}-reboot is not installed", lacking.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_Container_SaysWhose()
    {
        Write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz-1 ro");
        Write("boot/grub/grub.cfg", "");
        Write("run/systemd/container", "lxc\n");
        Assert.Contains("a container (lxc)", Find().Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_SystemdBoot_ReadsItsEntriesAndVariables()
    {
        Variable($"LoaderInfo-{Systemd}", Encoding.Unicode.GetBytes("systemd-boot 252.39\0"));
        Assert.Contains("loader/entries", Find().Sentence, StringComparison.Ordinal);
        Write("boot/efi/loader/entries/id-6.1.0-56-amd64.conf", "title Debian\nversion 6.1.0-56-amd64\nlinux /id/6.1.0-56-amd64/linux\ninitrd /id/initrd\noptions root=UUID=x ro\n");
        Write("boot/efi/loader/entries/id-6.12.1+deb12-amd64+3-0.conf", "title Debian\nlinux /vmlinuz-6.12.1+deb12-amd64\n");
        Write("boot/efi/loader/entries/memtest.conf", "title Memory test\nefi /memtest.efi\n");
        Variable($"LoaderEntryDefault-{Systemd}", Encoding.Unicode.GetBytes("id-6.1.0-56-amd64.conf\0"));
        Variable($"LoaderEntryOneShot-{Systemd}", Encoding.Unicode.GetBytes("id-6.12.1+deb12-amd64.conf\0"));
        var found = Find();
        Assert.Equal((BootLoaderKind.SystemdBoot, "/boot/efi"), (found.Kind, found.Folder));
        var menu = SystemdBootMenu.Read(_root, found.Folder!);
        Assert.Equal(["6.1.0-56-amd64", "6.12.1+deb12-amd64"], menu.Entries.Select(e => e.Release));
        Assert.Equal(("6.1.0-56-amd64", "6.12.1+deb12-amd64"), (menu.Default?.Release, menu.Once?.Release));
        Assert.Equal("id-6.12.1+deb12-amd64.conf", menu.For("6.12.1+deb12-amd64")!.Id);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(0, false)]
    [InlineData(null, null)]
    public void Firmware_SecureBoot_IsReadBehindTheAttributes(int? value, bool? expected)
    {
        Assert.Equal(new(false, null, null), BootFirmware.Read(_root));
        Directory.CreateDirectory(Path.Combine(_root, "sys/firmware/efi"));
        if (value is { } known)
        {
            Variable($"SecureBoot-{Global}", [(byte)known]);
        }

        Assert.Equal(new(true, expected, null), BootFirmware.Read(_root));
    }

    [Fact]
    public void Kernels_InBoot_AreListedWithWhatTheyHave()
    {
        Write("boot/vmlinuz-6.1.0-56-amd64", "12345");
        Write("boot/initrd.img-6.1.0-56-amd64", "123");
        Write("boot/vmlinuz-5.10.0", "1");
        Directory.CreateDirectory(Path.Combine(_root, "lib/modules/6.1.0-56-amd64"));
        Assert.Equal([new("5.10.0", 1, null, false), new("6.1.0-56-amd64", 5, 3, true)], InstalledKernel.ReadAll(_root));
        Assert.Null(InstalledKernel.Read(_root, "6.1.0"));
    }

    [Fact]
    public void Signature_OfAnImage_IsSeenInItsHeader()
    {
        var image = new byte[8192];
        (image[0], image[1], image[0x3c]) = ((byte)'M', (byte)'Z', 0x80);
        "PE\0\0"u8.CopyTo(image.AsSpan(0x80));
        (image[0x98], image[0x99]) = (0x0b, 0x02); // 64 bit
        image[0x98 + 108] = 6; // directories
        var file = Path.Combine(_root, "image");
        File.WriteAllBytes(file, image);
        Assert.False(KernelSignature.IsThere(file));
        image[0x98 + 112 + 36] = 200; // size of the table of certificates
        File.WriteAllBytes(file, image);
        Assert.True(KernelSignature.IsThere(file));
        File.WriteAllText(file, "no image");
        Assert.False(KernelSignature.IsThere(file));
    }

    private FoundBootLoader Find(params string[] lacking) => BootLoaderFinder.Find(_root, new Programs(lacking));

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_root, path))!);
        File.WriteAllText(Path.Combine(_root, path), text);
    }

    private void Variable(string name, byte[] value)
    {
        Directory.CreateDirectory(Path.Combine(_root, "sys/firmware/efi/efivars"));
        File.WriteAllBytes(Path.Combine(_root, "sys/firmware/efi/efivars", name), [7, 0, 0, 0, .. value]);
    }

    private sealed class Programs(string[] lacking) : ICommandRunner
    {
        public string? Find(string program) => lacking.Contains(program) ? null : "/usr/sbin/" + program;

        public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken) => throw new InvalidOperationException(request.Program);
    }
}
