using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace MPSec.Tests.Features.Kernel;

/// <summary>
/// A source that is built like a kernel, in seconds: the targets of a kernel's Makefile, objects that take a moment each, and a package at the end. Every object is
/// compiled under a lock of the kernel, so two compilers at once would tell on themselves.
/// </summary>
internal static class FakeKernelTree
{
    public const int Objects = 40;
    public const string Version = "6.9.1";

    /// <summary>Writes the archive <c>linux-6.9.1.tar.gz</c> into a folder.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="evidence">Folder where the build tells on itself: <c>twice</c> exists when two compilers were at work at once.</param>
    /// <param name="seconds">What an object takes.</param>
    /// <param name="waits">The last object is done when the file <c>leave</c> is in the evidence, and not before.</param>
    public static string Write(string folder, string evidence, double seconds = 0.05, bool waits = false)
    {
        var makefile = $$"""
            VERSION = 6
            PATCHLEVEL = 9
            SUBLEVEL = 1
            EXTRAVERSION =
            O ?= .
            OBJS := $(foreach n,$(shell seq 1 {{Objects}}),$(O)/part/o$(n).o)
            release = {{Version}}$(shell sed -n 's/^CONFIG_LOCALVERSION="\(.*\)"/\1/p' $(O)/auto.conf)$(LOCALVERSION)
            .PHONY: tinyconfig olddefconfig syncconfig kernelrelease kernelversion prepare all bindeb-pkg
            tinyconfig:
            	@mkdir -p $(O); echo '# CONFIG_NOTHING is not set' > $(O)/.config
            olddefconfig:
            	@test -e $(O)/auto.conf || cp $(O)/.config $(O)/auto.conf
            syncconfig:
            	@cp $(O)/.config $(O)/auto.conf
            kernelversion:
            	@echo {{Version}}
            kernelrelease:
            	@echo $(release)
            prepare:
            	@mkdir -p $(O)/part
            all: $(OBJS)
            $(O)/part/%.o:
            	@echo '  CC      part/$*.o'; flock -n {{evidence}}/lock sleep {{seconds.ToString(CultureInfo.InvariantCulture)}} || echo part/$*.o >> {{evidence}}/twice
            	@{{(waits ? $"if [ $* = o{Objects} ]; then while [ ! -e {evidence}/leave ]; do sleep 0.05; done; fi" : "true")}}; touch $@
            bindeb-pkg:
            	@rm -rf $(O)/deb; mkdir -p $(O)/deb/DEBIAN $(O)/deb/boot
            	@printf 'Package: linux-image-%s\nVersion: %s\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n' $(release) $(KDEB_PKGVERSION) > $(O)/deb/DEBIAN/control
            	@cat $(OBJS) > $(O)/deb/boot/vmlinuz-$(release)
            	@echo package >> {{evidence}}/packages
            	@dpkg-deb --build --root-owner-group $(O)/deb $(O)/../linux-image-$(release)_$(KDEB_PKGVERSION)_all.deb
            """.ReplaceLineEndings("\n") + "\n";
        var path = Path.Combine(folder, $"linux-{Version}.tar.gz");
        using var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest);
        using var tar = new TarWriter(gzip);
        tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, $"linux-{Version}/"));
        foreach (var (name, text) in new[] { ("Makefile", makefile), ("Kconfig", "mainmenu \"t\"\n") })
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"linux-{Version}/{name}") { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)), Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead });
        }

        return path;
    }
}
